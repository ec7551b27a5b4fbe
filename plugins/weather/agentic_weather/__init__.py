"""Current weather and forecasts from Open-Meteo."""

from agentic import Tool, hookimpl
from agentic_weather.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """GEOCODING_BASE_URL, WEATHER_BASE_URL and WEATHER_TIMEOUT."""
    return Settings


@hookimpl
def agentic_tools(settings: Settings) -> Tool:
    """The tool ``weather``; it connects with the first call."""
    from agentic_weather.tool import WeatherTool

    return WeatherTool(settings)
