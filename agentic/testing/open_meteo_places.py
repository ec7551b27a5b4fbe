"""The places of the scripted Open-Meteo; data by GeoNames (CC BY 4.0), rounded."""

from __future__ import annotations

from dataclasses import dataclass

from agentic.messages import Json

_COUNTRIES = {
    "US": (6252001, "United States"),
    "FR": (3017382, "France"),
    "DE": (2921044, "Germany"),
    "NO": (3144096, "Norway"),
    "CA": (6251999, "Canada"),
    "GB": (2635167, "United Kingdom"),
    "GE": (614540, "Georgia"),
    "JP": (1861060, "Japan"),
}


@dataclass(frozen=True, slots=True)
class ScriptedPlace:
    """A place as GeoNames has it; ``also`` are further names that lead to it, ``kind`` its feature code."""

    id: int
    name: str
    country_code: str
    admin1: str
    latitude: float
    longitude: float
    population: int
    timezone: str
    kind: str = "PPL"
    admin1_id: int = 0
    admin2: str = ""
    also: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """The place as the search gives it; what is not known is left out."""
        country_id, country = _COUNTRIES[self.country_code]
        optional = {
            "admin1_id": self.admin1_id,
            "admin1": self.admin1,
            "admin2": self.admin2,
            "population": self.population,
        }
        return {
            "id": self.id,
            "name": self.name,
            "latitude": self.latitude,
            "longitude": self.longitude,
            "elevation": 23.0,
            "feature_code": self.kind,
            "country_code": self.country_code,
            "timezone": self.timezone,
            "country_id": country_id,
            "country": country,
            **{name: value for name, value in optional.items() if value},
        }


_CHICAGO, _NEW_YORK, _PARIS, _BERLIN = "America/Chicago", "America/New_York", "Europe/Paris", "Europe/Berlin"

PLACES = (
    ScriptedPlace(3143244, "Oslo", "NO", "Oslo", 59.91273, 10.74609, 580000, "Europe/Oslo", "PPLC", 3143242),
    ScriptedPlace(3143242, "Oslo", "NO", "Oslo", 59.97, 10.73, 709037, "Europe/Oslo", "ADM1", 3143242),
    ScriptedPlace(2988507, "Paris", "FR", "Île-de-France", 48.85341, 2.3488, 2138551, _PARIS, "PPLC", 3012874),
    ScriptedPlace(4717560, "Paris", "US", "Texas", 33.66094, -95.55551, 24782, _CHICAGO, "PPLA2", 4736286, "Lamar"),
    ScriptedPlace(4647963, "Paris", "US", "Tennessee", 36.302, -88.32671, 10156, _CHICAGO, "PPLA2", 4662168, "Henry"),
    ScriptedPlace(4303602, "Paris", "US", "Kentucky", 38.2098, -84.25299, 9846, _NEW_YORK, "PPLA2", 6254925, "Bourbon"),
    ScriptedPlace(4409896, "Springfield", "US", "Missouri", 37.21533, -93.29824, 169176, _CHICAGO, "PPLA2", 4398678),
    ScriptedPlace(4951788, "Springfield", "US", "Massachusetts", 42.10148, -72.58981, 155929, _NEW_YORK, "PPLA2"),
    ScriptedPlace(4250542, "Springfield", "US", "Illinois", 39.80172, -89.64371, 114230, _CHICAGO, "PPLA", 4896861),
    ScriptedPlace(4525353, "Springfield", "US", "Ohio", 39.92423, -83.80882, 59680, _NEW_YORK, "PPLA2", 5165418),
    ScriptedPlace(5746545, "Portland", "US", "Oregon", 45.52345, -122.67621, 632309, "America/Los_Angeles", "PPLA2"),
    ScriptedPlace(4975802, "Portland", "US", "Maine", 43.66147, -70.25533, 66881, _NEW_YORK, "PPLA2"),
    ScriptedPlace(2950159, "Berlin", "DE", "Land Berlin", 52.52437, 13.41053, 3426354, _BERLIN, "PPLC", 2950157),
    ScriptedPlace(5083330, "Berlin", "US", "New Hampshire", 44.46867, -71.18508, 9367, _NEW_YORK),
    ScriptedPlace(
        2867714, "Munich", "DE", "Bavaria", 48.13743, 11.57549, 1260391, _BERLIN, "PPLA", 2951839, also=("München",)
    ),
    ScriptedPlace(
        2951839, "Bavaria", "DE", "Bavaria", 49.0, 11.5, 12843514, _BERLIN, "ADM1", 2951839, also=("Bayern",)
    ),
    ScriptedPlace(3017382, "France", "FR", "", 46.0, 2.0, 64768389, _PARIS, "PCLI", also=("Frankreich", "Francia")),
    ScriptedPlace(4736286, "Texas", "US", "Texas", 31.25, -99.25, 22875689, _CHICAGO, "ADM1", 4736286),
    ScriptedPlace(5128581, "New York", "US", "New York", 40.71427, -74.00597, 8175133, _NEW_YORK, "PPL", 5128638),
    ScriptedPlace(5128638, "New York", "US", "New York", 43.0, -75.5, 19274244, _NEW_YORK, "ADM1", 5128638),
    ScriptedPlace(614540, "Georgia", "GE", "", 42.0, 43.5, 3731000, "Asia/Tbilisi", "PCLI"),
    ScriptedPlace(4197000, "Georgia", "US", "Georgia", 32.75, -83.5, 8975842, _NEW_YORK, "ADM1", 4197000),
    ScriptedPlace(6058560, "London", "CA", "Ontario", 42.98339, -81.23304, 346765, "America/Toronto", "PPL", 6093943),
    ScriptedPlace(2643743, "London", "GB", "England", 51.50853, -0.12574, 8961989, "Europe/London", "PPLC", 6269131),
    ScriptedPlace(1850147, "Tokyo", "JP", "Tokyo", 35.6895, 139.69171, 9733276, "Asia/Tokyo", "PPLC", 1850144),
)
