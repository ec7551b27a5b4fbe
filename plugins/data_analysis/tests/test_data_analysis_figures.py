"""What the model reads: the figures, what they rest on, and refusals that help."""

import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agentic import ToolError, ToolRetry
from agentic_data_analysis.tool import Arguments, DataAnalysisTool
from agentic_data_analysis.worker import answer

SALES = "region,product,sales,qty,day\nnorth,ax,10,1,2024-01-05\nsouth,bo,20.5,2,2024-01-07\nnorth,cy,,3,2024-03-01"
ORDERS = json.dumps(
    {
        "shop": "x",
        "orders": [
            {"id": 1, "customer": {"name": "ann"}, "items": [{"price": 1.1, "qty": 2}, {"price": 2.2, "qty": 1}]},
            {"id": 2, "customer": {"name": "bob"}, "items": [{"price": 3.5, "qty": 3}]},
        ],
    }
)


def said(data: str, **given: Any) -> dict[str, str]:
    args = Arguments(data=data, **given)
    try:
        return {"answer": answer(args.model_dump(exclude={"data"}), args.data.encode())}
    except ToolRetry as error:
        return {"retry": error.message}
    except ToolError as error:
        return {"error": error.message}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"columns": ["salse"]}, "Did you mean `sales`?"),
        ({"columns": ["nothing_like_it"]}, "Columns: `region`, `product`, `sales`"),
        ({"operation": "sum", "columns": ["region"]}, "`region` holds text; sum needs numbers"),
        ({"operation": "mean", "columns": ["day"]}, "holds date"),
        ({"operation": "correlation", "columns": ["sales"]}, "two columns"),
        ({"operation": "correlation", "group_by": ["region"]}, "takes no group_by"),
        ({"operation": "value_counts", "group_by": ["region"]}, "needs `columns`"),
        ({"group_by": ["country"]}, "no column `country`"),
        ({"operation": "sum", "quantiles": [0.5]}, "leave it empty"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(given: dict[str, Any], reason: str) -> None:
    assert reason in said(SALES, **given)["retry"]


def test_names_of_two_tables_are_told_apart() -> None:
    data = '{"a": [{"x": 1, "y": 1}], "b": [{"z": 1, "y": 2}]}'
    assert "Name columns of one table" in said(data, columns=["x", "z"])["retry"]


def test_data_without_numbers_has_no_sum() -> None:
    assert "sum needs a column of numbers; the columns are `g`" in said('[{"g": "a"}]', operation="sum")["retry"]


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize(
    ("data", "given", "line"),
    [
        ("[0.1, 0.2, 0.3]", {"operation": "sum"}, "sum of `value`: 0.6 (3 values, 0 missing)"),
        ("[1, 2, null]", {"operation": "mean"}, "mean of `value`: 1.5 (2 values, 1 missing)"),
        ("[5]", {"operation": "std"}, "std of `value`: – (1 value, 0 missing)"),
        ("[1, 2, 3, 10]", {"operation": "median"}, "median of `value`: 2.5 (4 values, 0 missing)"),
        (f"[{10**30}, 3]", {"operation": "sum"}, f"sum of `value`: {10**30 + 3} (2 values"),
        (f"[{2**63 - 1}, {2**63 - 1}]", {"operation": "sum"}, f"sum of `value`: {2**64 - 2} (2"),
        ("[1e308, 1e308]", {"operation": "sum"}, "over 1.8e308"),
        ("[1, NaN, 1e999]", {"operation": "max"}, "max of `value`: 1 (1 value, 1 missing)"),
        ("ok\ntrue\nfalse", {"operation": "mean", "columns": "ok"}, "mean of `ok`: 0.5"),
        (
            SALES,
            {"operation": "max", "columns": "sales"},
            "20.5 (2 values, 1 missing); row 2: region south, product bo",
        ),
        (SALES, {"operation": "min", "columns": "Day"}, "min of `day`: 2024-01-05 (3 dates)"),
        (SALES, {"operation": "count"}, "3 rows."),
        (SALES, {"operation": "count", "columns": "sales"}, "| sales | 2 | 1 | 2 |"),
        (SALES, {"operation": "missing"}, "| sales | 1 | ≈ 33.3333 % |"),
        ("a,b\n1,2", {"operation": "missing"}, "No missing values in 2 columns of 1 rows."),
        (SALES, {"operation": "value_counts", "columns": ["region"]}, "| north | 2 | ≈ 66.6667 % |"),
        (SALES, {"operation": "quantiles", "columns": "qty", "quantiles": 0.9}, "| 90 % | 2.8 |"),
        (SALES, {"operation": "correlation"}, "No correlation is defined"),
        (SALES, {"operation": "sum", "columns": ["sales", "qty"]}, "| qty | 6 | 3 | 0 |"),
        (SALES, {"operation": "sum", "columns": "sales, qty", "group_by": "region"}, "| north | 2 | 10 | 4 |"),
        (SALES, {"operation": "min", "columns": "qty", "group_by": "region"}, "smallest first"),
        (SALES, {"group_by": "region"}, "| south | 1 | 20.5 | 20.5 | 20.5 | – | 20.5 | 20.5 |"),
        (SALES, {"operation": "missing", "group_by": "region"}, "| north | 2 |"),
        (SALES, {"operation": "count", "group_by": ["region", "product"]}, "| north | ax | 1 |"),
        (SALES, {"operation": "value_counts", "columns": "product", "group_by": "region"}, "| south | bo | 1 |"),
        (SALES, {"operation": "quantiles", "columns": "qty", "group_by": "region"}, "| north | 2 | 1.5 | 2 | 2.5 |"),
        ('[{"g": null, "v": 2}]', {"operation": "sum", "group_by": "g"}, "| (missing) | 1 | 2 |"),
        (ORDERS, {"operation": "sum", "columns": "price", "group_by": "name"}, "| ann | 2 | 3.3 |"),
        (ORDERS, {"operation": "mean", "path": "orders[].items[].price"}, "mean of `price`: ≈ 2.2667 (3 values"),
        ('{"a": [1, 2, 3], "b": [2, 4, 6]}', {"operation": "correlation"}, "| a | b | 1 | 3 |"),
        ("p\n12%\n8%", {"operation": "mean"}, "mean of `p (%)`: 10"),
        ('[{"a|b": "x|y"}]', {}, "x\\|y (1)"),
        ("a\n1.50\n1.5\n2", {"operation": "value_counts"}, "| 1.50 | 2 | ≈ 66.6667 % |"),
        ("a\n1.0\n1\n2", {"operation": "count", "columns": "a"}, "| a | 3 | 0 | 2 |"),
        (
            'g;v\n"1.000,0";1\n1000;2\n3,5;4',
            {"operation": "sum", "columns": "v", "group_by": "g"},
            "| 1.000,0 | 2 | 3 |",
        ),
        ("d,v\n2024-01-01,1\n2024-01-01T00:00Z,2", {"operation": "sum", "group_by": "d"}, "| 2024-01-01 | 2 | 3 |"),
        ("d\n2024-05-01\n2024-01-01", {"operation": "min"}, "min of `d`: 2024-01-01 (2 dates)"),
        ("g,d\nx,2024-05-01\ny,2024-01-01", {"operation": "max"}, "max of `d`: 2024-05-01 (2 dates)"),
        ("g,ok\nx,true\ny,false\nz,TRUE", {"operation": "sum"}, "sum of `ok`: 2 (3 values, 0 missing)"),
    ],
)
def test_figure_is_told_with_what_it_rests_on(data: str, given: dict[str, Any], line: str) -> None:
    assert line in said(data, **given)["answer"]


def test_summary_of_nested_data_has_every_table() -> None:
    text = said(ORDERS)["answer"]
    assert "### `orders`\n\n2 rows, 2 columns." in text
    assert "### `orders[].items`\n\n3 rows, 2 columns." in text
    assert "| price | 3 | 0 | 6.8 |" in text
    assert "Correlations (Pearson's r)" in text


def test_summary_tells_numbers_dates_and_text() -> None:
    text = said(SALES)["answer"]
    assert "| sales | 2 | 1 | 30.5 | 15.25 | 15.25 | ≈ 7.4246 | 10 | 12.625 | 17.875 | 20.5 |" in text
    assert "| day | 3 | 0 | 3 | 2024-01-05 | 2024-03-01 | 56 |" in text
    assert "| region | text | 3 | 0 | 2 | north (2), south (1) |" in text
    assert "≈ are rounded to 4 decimals" in text


def test_figures_agree_with_the_standard_library() -> None:
    values = [3.5, -2, 7, 7, 0.25, 100]
    text = said(json.dumps(values))["answer"]
    for figure in (statistics.mean(values), statistics.median(values), statistics.stdev(values)):
        assert f"{figure:.4f}".rstrip("0").rstrip(".") in text


def test_groups_beyond_n_are_counted() -> None:
    data = json.dumps([{"g": number, "v": number} for number in range(50)])
    text = said(data, operation="sum", columns=["v"], group_by=["g"], n=3)["answer"]
    assert "50 groups, by sum v, largest first; 3 of them shown (n = 3)" in text
    assert text.count("\n| ") == 4


def test_long_answer_is_cut_and_says_so() -> None:
    data = json.dumps([{f"column_with_a_long_name_{at}": f"{at} text {row}" for at in range(300)} for row in range(3)])
    text = said(data)["answer"]
    assert len(text) < 10_000
    assert "270 columns are left out" in text


@pytest.mark.parametrize(
    ("given", "operation"),
    [
        (None, "summary"),
        ("", "summary"),
        ("Average", "mean"),
        ("standard deviation", "std"),
        ("top values", "value_counts"),
    ],
)
def test_operation_is_understood_by_its_other_names(given: str | None, operation: str) -> None:
    assert Arguments(data="[1]", operation=given).operation == operation  # type: ignore[arg-type]


def test_unknown_operation_is_refused() -> None:
    with pytest.raises(ValidationError):
        Arguments(data="[1]", operation="regression")  # type: ignore[arg-type]


def test_data_may_be_given_as_it_is() -> None:
    assert Arguments(data=[{"a": 1}], columns="a", group_by=None).data == '[{"a": 1}]'  # type: ignore[arg-type]


def test_sample_of_the_description_works() -> None:
    sample = json.loads(DataAnalysisTool.description.partition("Sample: ")[2])
    assert "| south | 1 | 20 |" in said(**sample)["answer"]


def test_example_of_the_readme_is_true() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    asked, told = re.findall(r"```(?:json|markdown)\n(.*?)\n```", readme, re.DOTALL)[:2]
    assert said(**json.loads(asked)) == {"answer": told}


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_numbers_that_floats_cannot_tell_apart_spread_as_they_do() -> None:
    data = json.dumps([{"g": "x", "n": 10**30 + n, "m": n} for n in range(3)] + [{"g": "x", "n": None, "m": 9}])
    assert said(data, operation="std", columns=["n"])["answer"].startswith("std of `n`: 1 (3 values, 1 missing)")
    assert "| x | 4 | 1 |" in said(data, operation="std", columns=["n"], group_by=["g"])["answer"]
    assert "| n | m | 1 | 3 |" in said(data, operation="correlation", columns=["n", "m"])["answer"]
    over = json.dumps([{"n": 10**308}, {"n": -(10**308)}])
    assert "undefined" not in said(over, operation="mean", columns=["n"])["answer"]
    assert "std of `n`" in said(over, operation="std", columns=["n"])["answer"]


@pytest.mark.parametrize("power", ["e300", "e-300"])
def test_numbers_whose_squares_are_none_have_true_figures(power: str) -> None:
    data = "g,a,b\n" + "\n".join(f"x,{n}{power},{n}" for n in (1, 2, 3))
    one = f"{float('1' + power):.15g}"
    assert said(data, operation="std", columns=["a"])["answer"].startswith(f"std of `a`: {one} ")
    assert f"| x | 3 | {one} |" in said(data, operation="std", columns=["a"], group_by=["g"])["answer"]
    assert "| a | b | 1 | 3 |" in said(data, operation="correlation")["answer"]


def test_mean_of_numbers_whose_sum_is_none_is_true() -> None:
    assert "mean of `value`: 1e+308 " in said("[1e308, 1e308]", operation="mean")["answer"]
    assert "median of `value`: 1e+308 " in said("[1e308, 1e308]", operation="median")["answer"]


def test_text_that_is_called_as_missing_is_shown_is_a_group_of_its_own() -> None:
    shown = said("g,h,v\n(missing),a,1\n,a,2\n,b,4", operation="sum", columns=["v"], group_by=["g"])["answer"]
    assert "| (missing) | 2 | 6 |" in shown and "| (missing) | 1 | 1 |" in shown
    both = said("g,h,v\nx,a,1\n,a,2\n,,4", operation="value_counts", columns=["v"], group_by=["g", "h"])["answer"]
    assert "| (missing) | (missing) | 4 | 1 |" in both and "| (missing) | a | 2 | 1 |" in both
