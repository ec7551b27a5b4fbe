"""Which plain requests are read by rule, and which are left to the model."""

from typing import Any

import pytest

from agentic_data_analysis.requests import MAX_REQUEST, arguments_in

SALES = "region,sales,unit_price\nnorth,10,1\nsouth,20,2\nnorth,5,3"
GOODS = '[{"product": "ax", "price": 3, "units_sold": 4}, {"product": "bo", "price": 5, "units_sold": 9}]'

LEFT_ALONE = [
    "",
    "What is the average?",
    SALES,
    f"Write a Python function for the average price of {GOODS}",
    f"```python\nprices = {GOODS}\n```\nWhat is the average price?",
    f"Fix this JSON: {GOODS}",
    f"Convert the totals to CSV: {GOODS}",
    f"What does this mean? {GOODS}",
    f"average sales by country\n{SALES}",
    f"average age in {GOODS}",
    f"sum of sales where region is north\n{SALES}",
    f"What is the total price for ax? {GOODS}",
    f"total sales in the north\n{SALES}",
    f"How many units were sold? {GOODS}",
    f"What share of the total sales has each region?\n{SALES}",
    f"Plot the average sales\n{SALES}",
    'What is the maximum number of connections in {"port": 8080, "max_connections": 10}?',
    'Analyze {"port": 8080, "timeout": 30}',
    'Explain the "max_tokens" setting: {"max_tokens": 30, "top_p": 1}',
    '{"a": [1, {',
    "The mean of [1, 2",
    "Dear all,\nI met Ann, Bob, Carl.\nThen, we ate, 5, 6.\nOn average, yes, no.",
    "mean of ```json\n[1, 2]\n``` and ```json\n[3, 4]\n```",
    "[" * 5000,
    "average of " + "x" * MAX_REQUEST,
]

READ = [
    (f"What is the average price in {GOODS}?", GOODS, {"operation": "mean", "columns": ["price"]}),
    (
        f"Total sales by region:\n\n{SALES}",
        SALES,
        {"operation": "sum", "columns": ["sales"], "group_by": ["region"]},
    ),
    (
        f"Average of unit prices per region\n```csv\n{SALES}\n```",
        SALES,
        {"operation": "mean", "columns": ["unit_price"], "group_by": ["region"]},
    ),
    (f"mean and maximum of sales\n{SALES}", SALES, {"operation": "summary", "columns": ["sales"]}),
    (f"Which product has the highest price?\n{GOODS}", GOODS, {"operation": "max", "columns": ["price"]}),
    (
        f"Which region has the highest total sales?\n{SALES}",
        SALES,
        {"operation": "sum", "columns": ["sales"], "group_by": ["region"]},
    ),
    (
        f"90th percentile of sales\n{SALES}",
        SALES,
        {"operation": "quantiles", "columns": ["sales"], "quantiles": [0.9]},
    ),
    (
        f"Are sales and unit price correlated?\n{SALES}",
        SALES,
        {"operation": "correlation", "columns": ["sales", "unit_price"]},
    ),
    (f"Most common region?\n{SALES}", SALES, {"operation": "value_counts", "columns": ["region"]}),
    (f"How many values are missing in each column?\n{SALES}", SALES, {"operation": "missing"}),
    (f"How many rows per region?\n{SALES}", SALES, {"operation": "count", "group_by": ["region"]}),
    (f"Give me statistics:\n```\n{SALES}\n```", SALES, {"operation": "summary"}),
    ("the median of these response times: [120, 80, 95]", "[120, 80, 95]", {"operation": "median"}),
    ('average of {"Jan": 3, "Feb": 5}', '{"Jan": 3, "Feb": 5}', {"operation": "mean"}),
    ("sum these\n{\"a\": 1}\n{\"a\": 2}", '{"a": 1}\n{"a": 2}', {"operation": "sum"}),
    (
        "What is the highest score?\n| name | score |\n|---|---|\n| ann | 3 |\n| bob | 5 |",
        "| name | score |\n|---|---|\n| ann | 3 |\n| bob | 5 |",
        {"operation": "max", "columns": ["score"]},
    ),
]  # fmt: skip


@pytest.mark.parametrize("text", LEFT_ALONE, ids=lambda text: text[:40])
def test_request_is_left_to_the_model(text: str) -> None:
    assert arguments_in(text) is None


@pytest.mark.parametrize(("text", "data", "asked"), READ, ids=lambda part: str(part)[:40])
def test_request_is_read(text: str, data: str, asked: dict[str, Any]) -> None:
    assert arguments_in(text) == {"data": data, **asked}
