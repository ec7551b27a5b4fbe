"""The articles of the scripted Wikipedia; texts by the editors of Wikipedia, shortened (CC BY-SA 4.0)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """A page. ``extract`` is its first paragraph, ``intro`` all before its first heading (empty: the extract).

    ``links`` makes it a disambiguation page: titles and short descriptions of what it lists.
    """

    title: str
    extract: str
    intro: str = ""
    description: str = ""
    language: str = "en"
    redirects: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


_LOVELACE = (
    "Augusta Ada King, Countess of Lovelace (née Byron; 10 December 1815 – 27 November 1852), also known as Ada "
    "Lovelace, was an English mathematician and writer chiefly known for her work on Charles Babbage's proposed "
    "mechanical general-purpose computer, the analytical engine. She was the first to recognise that the machine had "
    "applications beyond pure calculation."
)

ARTICLES = (
    Article(
        title="Ada Lovelace",
        description="English mathematician (1815–1852)",
        extract=_LOVELACE,
        intro=f"{_LOVELACE}\nLovelace was the only legitimate child of poet Lord Byron and reformer Anne Isabella "
        "Milbanke. Byron separated from his wife a month after Ada was born and left England forever. He died in "
        "Greece when she was eight.",
        redirects=("Ada Byron", "Countess of Lovelace"),
    ),
    Article(
        title="Black hole",
        description="Compact astronomical body",
        extract="A black hole is an astronomical body so compact that its gravity prevents anything, including "
        "light, from escaping. Albert Einstein's theory of general relativity predicts that a sufficiently compact "
        "mass will form a black hole.",
        redirects=("Black holes",),
    ),
    Article(
        title="Byzantine Empire",
        description="Continuation of the Roman Empire (330–1453)",
        extract="The Byzantine Empire, also known as the Eastern Roman Empire, was the continuation of the Roman "
        "Empire centred on Constantinople during late antiquity and the Middle Ages. Its history spans a millennium.",
    ),
    Article(
        title="AC/DC",
        description="Australian rock band",
        extract="AC/DC are an Australian rock band formed in Sydney in 1973. They were founded by brothers Malcolm and "
        "Angus Young.",
    ),
    Article(
        title="Mercury",
        description="Topics referred to by the same term",
        extract="Mercury most commonly refers to:Mercury (planet), the closest planet to the Sun\nMercury (element), a "
        "chemical element with symbol Hg\nMercury (mythology), a Roman deity",
        links=(
            ("Freddie Mercury", "British singer (1946–1991)"),
            ("Hg", ""),
            ("Mercury (automobile)", "Defunct American automobile brand"),
            ("Mercury (element)", "Chemical element with atomic number 80 (Hg)"),
            ("Mercury (mythology)", "God of trade in Roman mythology"),
            ("Mercury (planet)", "First planet from the Sun"),
        ),
    ),
    Article(
        title="Mercury (planet)",
        description="First planet from the Sun",
        extract="Mercury is the first planet from the Sun and the smallest in the Solar System.",
    ),
    Article(
        title="Marie Curie",
        language="fr",
        description="physicienne et chimiste franco-polonaise",
        extract="Marie Skłodowska-Curie, née le 7 novembre 1867 à Varsovie et morte le 4 juillet 1934 à Passy, est une "
        "physicienne et chimiste polonaise, naturalisée française. Elle partage le prix Nobel de physique de 1903.",
    ),
    Article(
        title="Johannes Kepler",
        language="de",
        description="deutscher Astronom (1571–1630)",
        extract="Johannes Kepler war ein deutscher Astronom, Physiker und Mathematiker. Er entdeckte die nach ihm "
        "benannten Gesetze der Planetenbewegung.",
    ),
)
