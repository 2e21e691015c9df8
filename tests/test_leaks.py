"""The search for secrets in logs finds those that are there."""

from pathlib import Path

import httpx2
from tests.leaks import Secrets

from towline.actions.keys import make_token


def test_what_a_run_used_is_found_in_its_logs_and_nothing_else(tmp_path: Path) -> None:
    secrets = Secrets("bootstrap-key")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "secret").write_text("the-value-of-a-key-file\n")
    secrets.add_files(tmp_path / "keys")
    with httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(204))) as client:
        secrets.watch(client)
        client.post("http://x.test", json={"variables": [{"name": "A", "value": "hidden-value", "is_secret": True}]})
        client.post("http://x.test", json={"email": "ann@example.com", "password": "ann's password"})
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "quiet.log").write_text("ann@example.com set A and looked at twl_0123…\n")
    assert secrets.find_leaks(logs) == {}
    told = ["bootstrap-key", "the-value-of-a-key-file", "hidden-value", "ann's password", make_token()]
    for number, secret in enumerate(told):
        (logs / f"{number}.log").write_text(f"before {secret!s} after\n")
    assert secrets.find_leaks(logs) == {f"{number}.log": [secret[:10]] for number, secret in enumerate(told)}
