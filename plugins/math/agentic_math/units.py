"""Units as data: each is a number of others, down to seven base units.

Factors are those of NIST SP 811; a year is the Gregorian mean, a month a twelfth of it."""

from __future__ import annotations

BASES = {"m": "length", "kg": "mass", "s": "time", "A": "current", "K": "temperature", "mol": "amount", "bit": "data"}

_TABLE = """
length      m = base: meter meters metre metres
length      km = 1000 m: kilometer kilometers kilometre kilometres
length      cm = 1/100 m: centimeter centimeters centimetre centimetres
length      mm = 1/1000 m: millimeter millimeters millimetre millimetres
length      um = 1/1000000 m: micrometer micrometers micron microns
length      nm = 1/1000000000 m: nanometer nanometers
length      inch = 0.0254 m: inches
length      ft = 0.3048 m: foot feet
length      yd = 0.9144 m: yard yards
length      mile = 1609.344 m: mi miles
length      nmi = 1852 m: nautical_mile nautical_miles
length      ly = 9460730472580800 m: light_year light_years lightyear lightyears
length      au = 149597870700 m: astronomical_unit
area        ha = 10000 m^2: hectare hectares
area        acre = 4046.8564224 m^2: acres
volume      l = 1/1000 m^3: L liter liters litre litres
volume      ml = 1/1000000 m^3: mL milliliter milliliters millilitre millilitres
volume      cl = 1/100000 m^3: centiliter centiliters
volume      gallon = 0.003785411784 m^3: gal gallons
volume      quart = 0.000946352946 m^3: quarts
volume      pint = 0.000473176473 m^3: pints
volume      cup = 0.0002365882365 m^3: cups
volume      floz = 0.0000295735295625 m^3: fl_oz fluid_ounce fluid_ounces
volume      tbsp = 0.00001478676478125 m^3: tablespoon tablespoons
volume      tsp = 0.00000492892159375 m^3: teaspoon teaspoons
mass        kg = base: kilogram kilograms kilo kilos
mass        g = 1/1000 kg: gram grams gramme grammes
mass        mg = 1/1000000 kg: milligram milligrams
mass        tonne = 1000 kg: tonnes
mass        lb = 0.45359237 kg: lbs pound pounds
mass        oz = 0.028349523125 kg: ounce ounces
mass        stone = 6.35029318 kg: stones
time        s = base: sec secs second seconds
time        ms = 1/1000 s: millisecond milliseconds
time        us = 1/1000000 s: microsecond microseconds
time        ns = 1/1000000000 s: nanosecond nanoseconds
time        min = 60 s: mins minute minutes
time        h = 3600 s: hr hrs hour hours
time        day = 86400 s: d days
time        week = 604800 s: weeks
time        month = 2629746 s: months
time        year = 31556952 s: yr years
speed       mph = 0.44704 m/s:
speed       kph = 5/18 m/s: kmh kmph
speed       knot = 463/900 m/s: knots kn
current     A = base: ampere amperes amp amps
temperature K = base: kelvin kelvins
amount      mol = base: mole moles
force       N = 1 kg*m/s^2: newton newtons
force       kN = 1000 kg*m/s^2: kilonewton kilonewtons
force       lbf = 4.4482216152605 kg*m/s^2: pound_force
energy      J = 1 kg*m^2/s^2: joule joules
energy      kJ = 1000 kg*m^2/s^2: kilojoule kilojoules
energy      MJ = 1000000 kg*m^2/s^2: megajoule megajoules
energy      cal = 4.184 kg*m^2/s^2: calorie calories
energy      kcal = 4184 kg*m^2/s^2: kilocalorie kilocalories
energy      Wh = 3600 kg*m^2/s^2: watt_hour watt_hours
energy      kWh = 3600000 kg*m^2/s^2: kwh kilowatt_hour kilowatt_hours
energy      eV = 1.602176634e-19 kg*m^2/s^2: electronvolt electronvolts
energy      btu = 1055.05585262 kg*m^2/s^2: BTU
power       W = 1 kg*m^2/s^3: watt watts
power       kW = 1000 kg*m^2/s^3: kilowatt kilowatts
power       MW = 1000000 kg*m^2/s^3: megawatt megawatts
power       hp = 745.69987158227022 kg*m^2/s^3: horsepower
pressure    Pa = 1 kg/m/s^2: pascal pascals
pressure    kPa = 1000 kg/m/s^2: kilopascal kilopascals
pressure    hPa = 100 kg/m/s^2: hectopascal hectopascals
pressure    bar = 100000 kg/m/s^2: bars
pressure    mbar = 100 kg/m/s^2: millibar millibars
pressure    atm = 101325 kg/m/s^2: atmosphere atmospheres
pressure    psi = 6894.757293168361 kg/m/s^2: PSI
frequency   Hz = 1 s^-1: hertz
frequency   kHz = 1000 s^-1: kilohertz
frequency   MHz = 1000000 s^-1: megahertz
frequency   GHz = 1000000000 s^-1: gigahertz
charge      coulomb = 1 A*s: coulombs
voltage     V = 1 kg*m^2/s^3/A: volt volts
resistance  ohm = 1 kg*m^2/s^3/A^2: ohms
data        bit = base: bits
data        byte = 8 bit: bytes B
data        kB = 8000 bit: KB kilobyte kilobytes
data        MB = 8000000 bit: megabyte megabytes
data        GB = 8000000000 bit: gigabyte gigabytes
data        TB = 8000000000000 bit: terabyte terabytes
data        KiB = 8192 bit: kibibyte kibibytes
data        MiB = 8388608 bit: mebibyte mebibytes
data        GiB = 8589934592 bit: gibibyte gibibytes
data        TiB = 8796093022208 bit: tebibyte tebibytes
data        kbit = 1000 bit: kilobit kilobits
data        Mbit = 1000000 bit: megabit megabits
data        Gbit = 1000000000 bit: gigabit gigabits
"""

ANGLES = {"deg": "pi/180", "degree": "pi/180", "degrees": "pi/180", "rad": "1", "radian": "1", "radians": "1"}

TEMPERATURES = {
    "celsius": ("1", "273.15"),
    "centigrade": ("1", "273.15"),
    "C": ("1", "273.15"),
    "fahrenheit": ("5/9", "459.67*5/9"),
    "F": ("5/9", "459.67*5/9"),
    "kelvin": ("1", "0"),
    "K": ("1", "0"),
}
"""Scale and zero point in kelvin: what is above a zero of its own cannot be added, only converted."""


def _read_table() -> tuple[dict[str, str], dict[str, str]]:
    definitions: dict[str, str] = {}
    spellings: dict[str, str] = {}
    for line in _TABLE.strip().splitlines():
        defined, other_names = line.split(":")
        name, definition = (part.strip() for part in defined.split(maxsplit=1)[1].split("="))
        definitions[name] = definition
        for spelling in (name, *other_names.split()):
            spellings[spelling] = name
    return definitions, spellings


DEFINITIONS, SPELLINGS = _read_table()
"""Canonical name to definition (``0.3048 m``, ``1 kg*m/s^2``, ``base``), and every spelling to its canonical name."""

AMBIGUOUS = frozenset(name for name in SPELLINGS if len(name) == 1 or name in ("min", "sec", "bar", "au", "us", "ms"))
"""Names that are units only where the rest of the expression says that it has units."""


def is_unit(name: str) -> bool:
    """Whether the name is a unit in any context."""
    return name in SPELLINGS or name in ANGLES or name in TEMPERATURES


def speaks_of_units(name: str) -> bool:
    """Whether the name alone shows that an expression has units."""
    return (name in SPELLINGS and name not in AMBIGUOUS) or name in ("celsius", "fahrenheit", "centigrade")
