"""The parser alone: what wants more than to read is refused, whatever it looks like, and honest queries pass."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from agentic import ToolRetry
from agentic_sql.statement import read

DIALECTS = ("sqlite", "postgres", "mysql")
ATTACKS = json.loads(Path(__file__).with_name("attacks.json").read_text("utf-8"))
KINDS = {
    "sqlite": ("sqlite",),
    "postgres": ("postgresql", "postgresql_waits", "postgresql_rights"),
    "mysql": ("mysql", "mysql_waits", "mysql_rights"),
}
REFUSED = [
    (dialect, attack)
    for dialect, kinds in KINDS.items()
    for kind in ("writes", "hidden", *kinds)
    for attack in ATTACKS[kind]
]


@pytest.mark.parametrize(("dialect", "attack"), REFUSED, ids=lambda value: ascii(value)[:60])
def test_refused(dialect: str, attack: str) -> None:
    with pytest.raises(ToolRetry) as told:
        read(attack, {}, dialect, ())
    assert str(told.value).strip()


def test_nothing_of_a_refused_statement_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for dialect, attack in REFUSED:
            with pytest.raises(ToolRetry):
                read(attack, {}, dialect, ())
    assert caplog.text == ""


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "select * from orders;",
        "SELECT 'a;b', '--', '/* x */', '$$', '#', ':x'",
        "SELECT 'it''s'",
        "WITH a AS (SELECT 1 AS n), b AS (SELECT n FROM a) SELECT * FROM b",
        "SELECT city, count(*), sum(total), avg(total) FROM a JOIN b ON a.id = b.id GROUP BY city HAVING count(*) > 1",
        "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 LIMIT 5 OFFSET 2",
        "SELECT CASE WHEN total > 5 THEN 'x' ELSE 'y' END FROM orders WHERE id IN (1, 2) AND EXISTS (SELECT 1)",
        "SELECT upper(name), lower(name), length(name), substr(name, 1, 2), coalesce(city, '?'), nullif(1, 2) FROM c",
        "SELECT name, row_number() OVER (PARTITION BY city ORDER BY id) FROM customers",
        "SELECT replace(name, 'a', 'b'), round(total, 2), abs(-1), CAST(total AS CHAR(5)) FROM orders",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n",
        "SELECT prénom, größe FROM müller",
        "SELECT current_date, current_timestamp",
        "SELECT version FROM products WHERE sleep > 5 AND lock_time IS NULL",
        "SELECT a.* FROM orders AS a WHERE a.placed_at BETWEEN '2024-05-01' AND '2024-05-31'",
        "SELECT\n\t1\r\nFROM orders",
    ],
)  # fmt: skip
def test_honest_queries_pass(dialect: str, query: str) -> None:
    assert read(query, {}, dialect, ()).text.replace("%%", "%") == query.rstrip(";")


@pytest.mark.parametrize(
    ("dialect", "query"),
    [
        ("postgres", "SELECT total::numeric(10, 2), name ILIKE '%a%' FROM orders"),
        ("postgres", "SELECT data->>'a', data #> '{a}', data @> '{}', tags[1], tags[1 : 2] FROM t"),
        ("postgres", "SELECT date_trunc('month', placed_at), to_char(placed_at, 'YYYY'), extract(year FROM x) FROM o"),
        ("postgres", "SELECT now() - interval '1 day', string_agg(name, ', ' ORDER BY name) FROM c"),
        ("postgres", "SELECT DISTINCT ON (city) * FROM c, generate_series(1, 3) AS g, jsonb_array_elements('[]') AS j"),
        ("postgres", "SELECT pg_catalog.lower('A'), pg_size_pretty(5), count(*) FILTER (WHERE true) FROM c"),
        ("postgres", "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders"),
        ("postgres", "SELECT name ~ '^a', name SIMILAR TO 'a', regexp_replace(name, 'a', 'b', 'g') FROM c"),
        ("mysql", "SELECT `name`, DATE_FORMAT(placed_at, '%Y-%m'), GROUP_CONCAT(DISTINCT name SEPARATOR ', ') FROM c"),
        ("mysql", "SELECT YEAR(a), MONTH(a), DATE_SUB(NOW(), INTERVAL 1 DAY), IF(1, 2, 3) FROM o LIMIT 5, 3"),
        ("mysql", 'SELECT "text", \'it\\\'s\', name REGEXP \'^a\', DATEDIFF(NOW(), placed_at), 7 DIV 2 FROM c'),
        ("sqlite", "SELECT strftime('%Y', placed_at), [name], `name`, \"name\", group_concat(name), total(x) FROM c"),
        ("sqlite", "SELECT date('now', '-1 month'), julianday('now'), json_extract('{}', '$.a'), x'00ff', 1 IS NOT 2"),
        ("sqlite", "SELECT * FROM sqlite_master, json_each('[1]') WHERE name GLOB 'a*'"),
    ],
    ids=lambda value: value[:40],
)  # fmt: skip
def test_honest_queries_of_one_system_pass(dialect: str, query: str) -> None:
    assert read(query, {}, dialect, ()).text.replace("%%", "%") == query


@pytest.mark.parametrize("query", ["EXPLAIN SELECT 1", "CALL wipe()", "VACUUM INTO 'x'", "PREPARE p AS SELECT 1"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_statement_that_only_begins_otherwise_is_told_by_its_first_word(dialect: str, query: str) -> None:
    with pytest.raises(ToolRetry, match=f"^Statements that begin with {query.split(maxsplit=1)[0]} are refused"):
        read(query, {}, dialect, ())


def test_unknown_function_passes_where_the_operator_allows_it() -> None:
    with pytest.raises(ToolRetry, match="not on the list"):
        read("SELECT net_pay(total) FROM orders", {}, "postgres", ())
    assert read("SELECT NET_PAY(total) FROM orders", {}, "postgres", {"net_pay"})
    assert read("SELECT hr.net_pay(total) FROM orders", {}, "postgres", {"net_pay", "hr.net_pay"})
    with pytest.raises(ToolRetry, match="does more than compute"):
        read("SELECT pg_sleep(1)", {}, "postgres", {"pg_sleep"})


def test_parameters_become_the_drivers_own() -> None:
    values: dict[str, Any] = {"a": 1, "b": "x", "spare": None}
    query = "SELECT ':a', '100%' FROM orders WHERE id = :a AND name LIKE :b OR id::text = :b"
    made = read(query, values, "postgres", ())
    assert made.text == ("SELECT ':a', '100%%' FROM orders WHERE id = %(a)s AND name LIKE %(b)s OR id::text = %(b)s")
    assert made.values == {"a": 1, "b": "x"}
    assert read("SELECT :a", values, "sqlite", ()).text == "SELECT :a"


@pytest.mark.parametrize("query", ["SELECT ?", "SELECT :1", "SELECT :missing", "SELECT :a : b", "SELECT %s, %(a)s, :b"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_other_ways_to_write_parameters_are_refused_or_texts(dialect: str, query: str) -> None:
    try:
        made = read(query, {"a": 1}, dialect, ())
    except ToolRetry:
        return
    assert "%s" not in made.text.replace("%%s", "") and not made.values


@pytest.mark.parametrize("value", ["x\x00y", "\ud800", 2**63, -(2**63) - 1])
def test_values_that_no_database_takes_are_refused(value: Any) -> None:
    with pytest.raises(ToolRetry, match=":a"):
        read("SELECT :a", {"a": value}, "sqlite", ())


@pytest.mark.parametrize(
    "query",
    [
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
        "SELECT " + "abs(" * 3000 + "1" + ")" * 3000,
        "SELECT " + "1 + " * 4000 + "1",
        "SELECT " + "CASE WHEN 1 = 1 THEN " * 700 + "1" + " END" * 700,
        "SELECT * FROM " + "(SELECT * FROM " * 900 + "orders" + ") AS a" * 900,
        "SELECT " + "NOT " * 4000 + "1",
        "SELECT " + "'" * 19_001,
        "SELECT 1" + " " * 30_000,
        "SELECT 1 IN " + "((" * 2000,
    ],
    ids=lambda value: value[7:20],
)
def test_statements_made_to_exhaust_the_parser_are_done_with_quickly(query: str) -> None:
    began = time.perf_counter()
    for dialect in DIALECTS:
        try:
            read(query, {}, dialect, ())
        except ToolRetry as error:
            assert str(error).strip()
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("dialect", "query"),
    [
        ("postgres", r"SELECT '\', wipe_all(), '\'"),
        ("sqlite", r"SELECT '\', wipe_all(), '\'"),
        ("sqlite", r'SELECT "\", wipe_all(), "\"'),
        ("mysql", r"SELECT '\'', wipe_all(), '\''"),
        ("mysql", r'SELECT "\"", wipe_all(), "\""'),
        ("mysql", r"SELECT `\`, wipe_all(), `\`"),
        ("postgres", r'SELECT "\", wipe_all(), "\"'),
        ("postgres", r"SELECT e'\'', wipe_all(), ''"),
        ("postgres", "SELECT $a$, wipe_all(), $a$"),
        ("postgres", "SELECT B'0', wipe_all(), X'0'"),
        ("sqlite", "SELECT [a'], wipe_all(), [b']"),
        ("mysql", "SELECT _utf8mb4'a', wipe_all(), N'b', x'00'"),
    ],
)
def test_calls_between_odd_quotes_are_seen(dialect: str, query: str) -> None:
    with pytest.raises(ToolRetry, match=r"wipe_all|quotes"):
        read(query, {}, dialect, ())
