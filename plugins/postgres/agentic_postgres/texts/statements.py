"""The SQL of the index. The scope is a column of every key, and every statement names it."""

from __future__ import annotations

from dataclasses import dataclass

from agentic_postgres.schema import Schema

# A word has letters, marks and digits alone, so that in quotes it is one of tsvector and tsquery.
_INSERT = """
    INSERT INTO {schema}.text_pieces (scope, document, number, length, words)
    SELECT $1, $2, piece.number, piece.length, (
        SELECT string_agg('''' || {stem} || ''':' || least(one.place, 16383), ' ')::tsvector
        FROM unnest(string_to_array(piece.words, ' ')) WITH ORDINALITY AS one (word, place)
    )
    FROM unnest($3::int[], $4::int[], $5::text[]) AS piece (number, length, words)
"""

# BM25 with the constants that everybody uses. PostgreSQL's own ranks do not know how rare a word is; but that of a
# single word tells how often it is in a piece: it is (1/1² + 1/2² + … + 1/n²) · 6/π², of which n is computed back.
_SEARCH = """
    WITH stems AS MATERIALIZED (
        SELECT {stem} AS stem, bool_and(ts_lexize('pg_catalog.english_stem', one.word) = '{{}}') AS common
        FROM unnest($2::text[]) AS one (word) GROUP BY 1
    ),
    looked_for AS MATERIALIZED (
        SELECT stem, ('''' || stem || '''')::tsquery AS query FROM stems
        WHERE NOT common OR NOT EXISTS (SELECT FROM stems WHERE NOT common)
    ),
    everything AS MATERIALIZED (
        SELECT sum(pieces)::float8 AS pieces, greatest(sum(length)::float8 / sum(pieces), 1) AS length
        FROM {schema}.text_documents WHERE scope = $1
    ),
    found AS MATERIALIZED (
        SELECT document, number, length, words FROM {schema}.text_pieces
        WHERE scope = $1 AND words @@ (SELECT string_agg(query::text, ' | ')::tsquery FROM looked_for)
    ),
    held AS MATERIALIZED (
        SELECT found.document, found.number, found.length, looked_for.stem,
            round(1 / (1.64493406685 * (1 - ts_rank('{{1, 1, 1, 1}}', found.words, looked_for.query)::float8)) - 0.5)
                AS times
        FROM found JOIN looked_for ON found.words @@ looked_for.query
    ),
    counted AS (SELECT *, count(*) OVER (PARTITION BY stem) AS pieces FROM held),
    best AS MATERIALIZED (
        SELECT counted.document, counted.number, sum(
            ln(1 + (everything.pieces - counted.pieces + 0.5) / (counted.pieces + 0.5)) * counted.times * 2.2
            / (counted.times + 1.2 * (0.25 + 0.75 * counted.length / everything.length))
        ) AS score
        FROM counted CROSS JOIN everything
        WHERE $3::bytea[] IS NULL OR counted.document IN (
            SELECT id FROM {schema}.text_documents WHERE scope = $1 AND name = ANY($3)
        )
        GROUP BY counted.document, counted.number ORDER BY score DESC, counted.document, counted.number LIMIT $4
    )
    SELECT (SELECT name FROM {schema}.text_documents WHERE scope = $1 AND id = best.document), number, score
    FROM best ORDER BY score DESC, document, number
"""


@dataclass(frozen=True, slots=True)
class Statements(Schema):
    """The statements for one schema; $1 is the scope."""

    @property
    def replace(self) -> str:
        """Write the record of a document, and hold it until the transaction ends: $2 name, $3 pieces, $4 length."""
        return (
            f"INSERT INTO {self.schema}.text_documents AS d (scope, name, pieces, length) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (scope, name) DO UPDATE SET pieces = excluded.pieces, length = excluded.length RETURNING id"
        )

    @property
    def insert(self) -> str:
        """$2 the document's id, $3 numbers, $4 lengths, $5 the words of each piece, with blanks between them."""
        return _INSERT.format(schema=self.schema, stem=self._stem)

    @property
    def clear(self) -> str:
        """Remove the pieces of documents: $2 their ids."""
        return f"DELETE FROM {self.schema}.text_pieces WHERE scope = $1 AND document = ANY($2::bigint[])"

    @property
    def delete(self) -> str:
        """$2 name."""
        return f"DELETE FROM {self.schema}.text_documents WHERE scope = $1 AND name = $2 RETURNING id, pieces"

    @property
    def drop(self) -> str:
        """The records of all documents, to be followed by ``clear``."""
        return f"DELETE FROM {self.schema}.text_documents WHERE scope = $1 RETURNING id, pieces"

    @property
    def search(self) -> str:
        """$2 words, $3 names of documents or None, $4 limit."""
        return _SEARCH.format(schema=self.schema, stem=self._stem)

    @property
    def documents(self) -> str:
        """Names, the oldest first."""
        return f"SELECT name FROM {self.schema}.text_documents WHERE scope = $1 ORDER BY id"

    @property
    def scopes(self) -> str:
        """The one that is asked without a scope."""
        return f"SELECT DISTINCT scope FROM {self.schema}.text_documents ORDER BY scope"

    @property
    def _stem(self) -> str:
        return f"coalesce(nullif((ts_lexize('{self.schema}.text_stem', one.word))[1], ''), one.word)"
