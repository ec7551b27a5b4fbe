"""What expressions come to, as the model reads it."""

import re
from pathlib import Path

import pytest

from agentic import ToolError, ToolRetry
from agentic_math import names, worker
from agentic_math.evaluate import functions
from agentic_math.tool import MathTool

ERRORS = [
    ("1/0", "undefined"),
    ("5 mod 0", "undefined"),
    ("inv([[1, 2], [2, 4]])", "no inverse"),
    ("integrate(x^x, x)", "No closed form"),
    ("limit(1/x, x, 0)", "does not exist"),
    ("limit(sin(1/x), x, 0)", "does not exist"),
    ("sin(x) = y, cos(x) = x", "No way to solve"),
    ("x^5 + a x + 1 = 0", "No closed form for x"),
    ("2^(10^9)", "about 301,029,996 digits"),
    ("9^9^9", "about 369,693,100 digits"),
]

ANSWERS = [
    ("17*23", "391"),
    ("17 × 23", "391"),
    ("17 × 23 =", "391"),
    ("1/3", "1/3 ≈ 0.333333333333333"),
    ("1/4", "1/4 = 0.25"),
    ("0.1 + 0.2", "0.3"),
    ("12.5 + 7", "19.5"),
    ("2^10", "1024"),
    ("2**-1", "1/2 = 0.5"),
    ("-2^2", "-4"),
    ("2^3^2", "512"),
    ("5 -- 3", "8"),
    ("7 − 9", "-2"),
    ("17 ÷ 4", "17/4 = 4.25"),
    ("17 // 4", "4"),
    ("17 % 5", "2"),
    ("17 mod 5", "2"),
    ("7^(10^9) mod 13", str(pow(7, 10**9, 13))),
    ("5!", "120"),
    ("√2", "sqrt(2) ≈ 1.4142135623731"),
    ("√16 + 1", "5"),
    ("√-4 + 1", "1 + 2*I"),
    ("³√8 + ∛8", "4"),
    ("πr²", "pi*r**2"),
    ("e^(iπ) + 1", "0"),
    ("2 x 3", "6"),
    ("2 sin x cos x", "2*sin(x)*cos(x)"),
    ("sin cos x", "sin(cos(x))"),
    ("ln 2x ln 3", "log(3)*log(2*x)"),
    ("lim((1 + 1/n)^n, n, oo)", "E ≈ 2.71828182845905"),
    ("nextprime(10^16)", "10000000000000061"),
    ("nextprime(10^40)", "10000000000000000000000000000000000000121"),
    (
        "x^6 - 2x + 1 = 0",
        "x = 1 or x ≈ 0.508660391642004 or x ≈ -1.01183682743757 - 0.683958595642103*I or "
        "x ≈ -1.01183682743757 + 0.683958595642103*I or x ≈ 0.257506631616569 - 1.11879031419897*I or "
        "x ≈ 0.257506631616569 + 1.11879031419897*I (I is the imaginary unit)",
    ),
    ("2π", "2*pi ≈ 6.28318530717959"),
    ("x² + 1", "x**2 + 1"),
    ("2⁻¹", "1/2 = 0.5"),
    ("1½ + 2", "7/2 = 3.5"),
    ("1,234,567 + 1", "1234568"),
    ("1,234.5 * 2", "2469"),
    ("1.234,5 * 2", "2469"),
    ("3,5 * 2", "7"),
    ("1_000 + 1", "1001"),
    ("max(1,234)", "234"),
    ("0xff + 1", "256"),
    ("15% of 80", "12"),
    ("15% * 80", "12"),
    ("30% of 1,200", "360"),
    ("100 + 10%", "110"),
    ("200 - 15%", "170"),
    ("6/2(1+2)", "9"),
    ("(1+2)(3+4)", "21"),
    ("2xy", "2*x*y"),
    ("sqrt(144)", "12"),
    ("sqrt(8)", "2*sqrt(2) ≈ 2.82842712474619"),
    ("sqrt(-4)", "2*I"),
    ("(3+4i)*(1-2i)", "11 - 2*I"),
    ("e^(i*pi)", "-1"),
    ("cbrt(-8)", "-2"),
    ("root(81, 4)", "3"),
    ("1.0000001^(10^9)", "≈ 2.68810370126492e+43"),
    ("0.1^1000000", "≈ 1e-1000000"),
    ("log(100)", "log(100) ≈ 4.60517018598809"),
    ("log10(1000)", "3"),
    ("log(8, 2)", "3"),
    ("ln(e)", "1"),
    ("3*ln(e) + 1", "4"),
    ("N(e)", "≈ 2.71828182845905"),
    ("integrate(1/x, (x, 1, e))", "1"),
    ("log(e, 10)", "1/log(10) ≈ 0.434294481903252"),
    ("limit(ln(x), e)", "1"),
    ("solve(e^2 - 4, e)", "e = -2 or e = 2"),
    ("summation(i, (i, 1, 10))", "55"),
    ("ln(e^2)", "2"),
    ("sin(30°)", "1/2 = 0.5"),
    ("sin 30 deg", "1/2 = 0.5"),
    ("cos(pi/3)", "1/2 = 0.5"),
    ("solve(x**2-4, x)", "x = -2 or x = 2"),
    ("roots(x^2 - 5x + 6)", "x = 2 or x = 3"),
    ("2x + 3 = 7", "x = 2"),
    ("x^2 = 2", "x = -sqrt(2) ≈ -1.4142135623731 or x = sqrt(2) ≈ 1.4142135623731"),
    ("x^2 + 1 = 0", "x = -I or x = I (I is the imaginary unit)"),
    ("x = x + 1", "No solution."),
    ("sqrt(x) = -1", "No solution."),
    ("x + 1 = 1 + x", "True for every x"),
    ("2 + 2 = 4", "true"),
    ("2 + 2 = 5", "false"),
    ("abs(x) = 3", "x = -3 or x = 3"),
    ("2^x = 8", "x = 3"),
    ("price*1.2 = 60", "price = 50"),
    ("y = 2x + 3", "x = y/2 - 3/2"),
    ("solve(y = 2x + 3, x)", "x = y/2 - 3/2"),
    ("solve([x+y-3, x-y-1], [x, y])", "x = 2, y = 1"),
    ("x + y = 3, x - y = 1", "x = 2, y = 1"),
    ("x^3 - 3x + 1 = 0", "x ≈ -1.87938524157182 or x ≈ 0.347296355333861 or x ≈ 1.53208888623796"),
    ("cos(x) = x", "x ≈ 0.739085133215161 (found as numbers between -50 and 50; there may be others)"),
    (
        "sin(x) = 1/2",
        "x = pi/6 ≈ 0.523598775598299 or x = 5*pi/6 ≈ 2.61799387799149 (within one period; others repeat)",
    ),
    ("x^2 < 4", "-2 < x and x < 2"),
    ("3 < 5", "true"),
    ("diff(sin(x)*x, x)", "x*cos(x) + sin(x)"),
    ("diff(x^5, x, 2)", "20*x**3"),
    ("integrate(x^2, (x, 0, 3))", "9"),
    ("integrate(sin(x), x, 0, pi)", "2"),
    ("integrate(sin(x), 0, pi)", "2"),
    ("integrate(exp(-x^2), (x, -oo, oo))", "sqrt(pi) ≈ 1.77245385090552"),
    ("integrate(sin(sin(x)), (x, 0, 1))", "≈ 0.430606103120691"),
    ("limit(sin(x)/x, x, 0)", "1"),
    ("limit(sin(x)/x, x->0)", "1"),
    ("limit(1/x, x, 0, '+')", "oo (infinity)"),
    ("limit(1/x, x, 0, dir='-')", "-oo (minus infinity)"),
    ("summation(1/n^2, (n, 1, oo))", "pi**2/6 ≈ 1.64493406684823"),
    ("Sum(i^2, (i, 1, 10))", "385"),
    ("sum(k, k, 1, 100)", "5050"),
    ("sum([1, 2, 3])", "6"),
    ("product(k, (k, 1, 5))", "120"),
    ("series(exp(x), x, 0, 4)", "1 + x + x**2/2 + x**3/6 + O(x**4)"),
    ("simplify(sin(x)^2 + cos(x)^2)", "1"),
    ("sin^2(x)", "sin(x)**2"),
    ("expand((x+1)^3)", "x**3 + 3*x**2 + 3*x + 1"),
    ("factor(x^3 - 1)", "(x - 1)*(x**2 + x + 1)"),
    ("subs(x^2 + 1, x, 3)", "10"),
    ("det([[1,2],[3,4]])", "-2"),
    ("inv(Matrix([[1,2],[3,4]]))", "[[-2, 1], [3/2, -1/2]]"),
    ("Matrix([[1,2],[3,4]])^2", "[[7, 10], [15, 22]]"),
    ("Matrix([[2,0],[0,4]])^-1", "[[1/2, 0], [0, 1/4]]"),
    ("[[1,2],[3,4]] * [[1,0],[0,1]]", "[[1, 2], [3, 4]]"),
    ("transpose([[1,2],[3,4]])", "[[1, 3], [2, 4]]"),
    ("eigenvalues([[2,0],[0,3]])", "[2, 3]"),
    ("dot([1,2,3],[4,5,6])", "32"),
    ("cross([1,0,0],[0,1,0])", "[0, 0, 1]"),
    ("mean([1,2,3,4])", "5/2 = 2.5"),
    ("median(3, 1, 2)", "2"),
    ("stdev(2,4,4,4,5,5,7,9)", "4*sqrt(14)/7 ≈ 2.1380899352994"),
    ("gcd(12, 18)", "6"),
    ("factorint(360)", "2^3 * 3^2 * 5"),
    ("is_prime(7919)", "true"),
    ("prime(1000)", "7919"),
    ("binomial(5,2)", "10"),
    ("round(pi, 2)", "3.14"),
    ("bin(10)", "0b1010"),
    ("N(pi, 30)", "≈ 3.14159265358979323846264338328"),
    ("convert 3 km to miles", "≈ 1.864113576712 miles"),
    ("convert(3*kilometer, mile)", "≈ 1.864113576712 mile"),
    ("3 km + 200 m", "3.2 km"),
    ("100 km / 2 h", "50 km/h"),
    ("5 m/s to km/h", "18 km/h"),
    ("5 ft 3 in to cm", "160.02 cm"),
    ("12 in in cm", "30.48 cm"),
    ("3 min + 30 s", "3.5 min"),
    ("2 kWh in J", "7200000 J"),
    ("98.6 F to C", "37 °C"),
    ("20 °C in °F", "68 °F"),
    ("300 K in C", "26.85 °C"),
    ("90 degrees to rad", "pi/2 ≈ 1.5707963267949 rad"),
]


def compute(expression: str) -> dict[str, str]:
    """What the worker would say."""
    try:
        return {"answer": worker.compute(expression)}
    except ToolRetry as error:
        return {"retry": error.message}
    except ToolError as error:
        return {"error": error.message}


@pytest.mark.parametrize(("expression", "reason"), ERRORS)
def test_what_cannot_be_computed_says_why(expression: str, reason: str) -> None:
    assert reason in compute(expression)["error"]


@pytest.mark.parametrize(("expression", "answer"), ANSWERS)
def test_expression_has_its_answer(expression: str, answer: str) -> None:
    assert compute(expression) == {"answer": answer}


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("x^-2 at x=2", "the word 'at' does not belong here"),
        ("lim x->0 sin(x)/x", "lim needs its arguments in parentheses"),
        ("1e99999999999999999999", "Numbers go up to 10^5000"),
    ],
)
def test_what_cannot_be_read_says_why(expression: str, reason: str) -> None:
    assert reason in compute(expression)["retry"]


def test_limit_at_infinity_names_no_side() -> None:
    assert compute("limit(sin(x), x, oo)") == {"error": "The limit does not exist."}


def test_long_number_is_shortened_and_its_digits_counted() -> None:
    said = compute("2^100000")["answer"]
    assert len(said) < 300
    assert said.startswith("99900209301438450794")
    assert "(30,103 digits;" in said


def test_long_term_is_shortened() -> None:
    said = compute("expand((a + b + c)^30)")["answer"]
    assert len(said) < 2200
    assert "shortened" in said


def test_equation_of_the_fifth_degree_has_all_its_solutions() -> None:
    said = compute("x^5 - x - 1 = 0")["answer"]
    assert "x ≈ 1.16730397826142" in said
    assert said.count(" or ") == 4


def test_every_name_of_a_function_is_there_and_every_function_has_a_name() -> None:
    assert set(functions()) | {"convert"} == names.FUNCTIONS
    assert set(names.ALIASES.values()) <= names.FUNCTIONS


@pytest.mark.parametrize("digits", [1, 2, 2000, 2001, 4999])
def test_digits_are_counted_exactly_around_powers_of_ten(digits: int) -> None:
    from agentic_math.answer import whole

    for number in (10 ** (digits - 1), 10**digits - 1):
        text = whole(number)
        assert (f"({digits:,} digits;" in text) if digits > 2000 else len(text) == digits


def test_sample_expressions_of_the_description_work() -> None:
    samples = MathTool.description.split("Samples: ")[1].split(". log")[0].split(" | ")
    assert len(samples) >= 5
    for sample in samples:
        assert "answer" in compute(sample), sample


def test_comma_within_a_function_parts_its_arguments() -> None:
    assert "log10 takes 1 argument" in compute("log10(1,000)")["retry"]


def test_examples_of_the_readme_are_true() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", readme, re.MULTILINE)
    assert len(rows) >= 10
    for expression, answer in rows:
        assert compute(expression) == {"answer": answer}
