"""Random graphs of up to 200 services without a circle."""

from hypothesis import strategies as st

Graph = dict[str, frozenset[str]]


@st.composite
def graphs(draw: st.DrawFn, *, largest: int = 200) -> Graph:
    """Each node needs some of those before it; names are shuffled, so that order is never that of the alphabet."""
    size = draw(st.integers(1, largest))
    random = draw(st.randoms(use_true_random=False))
    names = [f"s{number}" for number in range(size)]
    random.shuffle(names)
    most = draw(st.integers(0, 6))
    graph: Graph = {}
    for number, name in enumerate(names):
        count = min(number, random.randint(0, most))
        graph[name] = frozenset(random.sample(names[:number], count))
    shuffled = list(graph)
    random.shuffle(shuffled)
    return {name: graph[name] for name in shuffled}
