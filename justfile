# Short names for what people do often; `just --list` shows them.

# Everything CI checks, but the tests.
check:
    .venv/bin/ruff check
    .venv/bin/ruff format --check
    .venv/bin/basedpyright
    .venv/bin/lint-imports

# Format and mend what can be mended by itself.
fix:
    .venv/bin/ruff check --fix
    .venv/bin/ruff format

# Tests: `just test fast`, `just test servers`, `just test e2e`, `just test`.
test lane="all":
    ./test {{lane}}

# Start Towline from this checkout.
up *options:
    ./up {{options}}

# Pictures of every page of the dashboard, light and dark, wide and narrow, and what is too wide.
screenshots folder="screenshots":
    PYTHONPATH=. .venv/bin/python -m tests.e2e.browser.screenshots {{folder}}

# Write the lock files anew after a change of pyproject.toml.
lock:
    uv lock
    uv export --quiet --frozen --no-emit-project --no-dev --format requirements-txt --no-header --output-file requirements.txt
    uv export --quiet --frozen --no-emit-project --format requirements-txt --no-header --output-file requirements-dev.txt
