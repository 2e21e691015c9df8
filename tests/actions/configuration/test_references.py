"""References in variables: found, resolved, refused with the place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.actions.configuration.references import Reference, Value, find_references, resolve
from towline.errors import InvalidInput

Variables = dict[str, dict[str, Value]]


def no_fact(reference: Reference) -> str:
    raise InvalidInput(f"there is no {reference}.")


def resolved(variables: Variables, wanted: str = "web") -> dict[str, Value]:
    return resolve(wanted, variables=variables, get_fact=lambda reference: f"<{reference}>")


@given(st.text().filter(lambda text: "${{" not in text))
def test_a_value_without_reference_is_carried_exactly(text: str) -> None:
    assert resolved({"web": {"A": Value(text)}}) == {"A": Value(text)}


@given(st.text(), st.text())
def test_an_escaped_opening_is_carried_as_the_characters(before: str, after: str) -> None:
    before, after = before.replace("$", ""), after.replace("{", "")
    assert resolved({"web": {"A": Value(f"{before}$${{{{{after}")}})["A"].text == f"{before}${{{{{after}"


def test_every_known_form_is_found() -> None:
    text = "${{services.api.port}} ${{ services.my-db.variables.PASSWORD }} ${{variables.A}} ${{ environment.name }}"
    assert find_references(text, place="A") == [
        Reference("api", "port"),
        Reference("my-db", variable="PASSWORD"),
        Reference(variable="A"),
        Reference(fact="environment.name"),
    ]


def test_what_refers_to_a_secret_is_a_secret() -> None:
    variables = {
        "web": {"DSN": Value("pg://${{ services.db.variables.PASSWORD }}"), "COPY": Value("${{ variables.DSN }}")},
        "db": {"PASSWORD": Value("hidden", is_secret=True)},
    }
    assert resolved(variables) == {"DSN": Value("pg://hidden", True), "COPY": Value("pg://hidden", True)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${{ services.api.secret }}", "A: ${{ services.api.secret }} is no reference"),
        ("${{ }}", "is no reference"),
        ("x ${{ project.name", "begins with ${{ but has no end"),
        ("${{ variables.B }}", "web.A: there is no ${{ variables.B }}"),
        ("${{ services.db.variables.B }}", "web.A: there is no ${{ services.db.variables.B }}"),
        ("${{ services.db.port }}", "web.A: there is no services.db.port"),
    ],
)
def test_what_cannot_be_resolved_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        resolve("web", variables={"web": {"A": Value(text)}}, get_fact=no_fact)
    assert message in refused.value.message
    assert refused.value.field == "variables"


def test_a_circle_is_refused_with_its_path() -> None:
    variables = {
        "web": {"A": Value("${{ services.api.variables.B }}")},
        "api": {"B": Value("${{ services.web.variables.A }}")},
    }
    with pytest.raises(InvalidInput, match=r"web\.A → api\.B → web\.A"):
        resolved(variables)


def test_values_that_double_at_each_step_are_refused_before_they_fill_the_memory() -> None:
    doubling = {f"V{number}": Value(f"${{{{variables.V{number + 1}}}}}" * 2) for number in range(40)}
    with pytest.raises(InvalidInput, match="longer than"):
        resolved({"web": {**doubling, "V40": Value("x")}})


def test_a_chain_of_references_has_a_bound() -> None:
    chain = {f"V{number}": Value(f"${{{{variables.V{number + 1}}}}}") for number in range(400)}
    with pytest.raises(InvalidInput, match="references lead on"):
        resolved({"web": {**chain, "V400": Value("x")}})


def test_many_openings_without_an_end_are_refused_in_one_look() -> None:
    with pytest.raises(InvalidInput, match="has no end"):
        find_references("${{" * 80_000, place="A")


def test_many_references_in_one_value_take_one_look_each() -> None:
    variables = {"web": {"A": Value("xy"), "B": Value("${{variables.A}}" * 16_000)}}
    assert resolved(variables)["B"] == Value("xy" * 16_000)
