"""Coordinates of the register against published values and a numerical projection that uses no series."""

import cmath
import math

import polars as pl
import pytest

from integration_assets.domain.addresses.coordinates import latitude, longitude

A = 6_378_137.0
F = 1 / 298.257222101
E2 = F * (2 - F)
STEPS = 400


def _simpson(function, start: complex, end: complex) -> complex:
    width = (end - start) / STEPS
    inner = sum((4 if step % 2 else 2) * function(start + step * width) for step in range(1, STEPS))
    return (function(start) + inner + function(end)) * width / 3


def projected(lat: float, lon: float) -> tuple[float, float]:
    """UTM zone 32 by its definition: the meridian arc continued analytically along the isometric latitude.

    Runge-Kutta over the complex latitude from the meridian to the longitude; no series of the projection is used.
    """

    def arc_by_latitude(phi: complex) -> complex:
        return A * (1 - E2) / (1 - E2 * cmath.sin(phi) ** 2) ** 1.5

    def latitude_by_isometric(phi: complex) -> complex:
        return cmath.cos(phi) * (1 - E2 * cmath.sin(phi) ** 2) / (1 - E2)

    phi = complex(math.radians(lat))
    step = 1j * math.radians(lon - 9) / STEPS
    for _ in range(STEPS):
        k1 = latitude_by_isometric(phi)
        k2 = latitude_by_isometric(phi + step * k1 / 2)
        k3 = latitude_by_isometric(phi + step * k2 / 2)
        k4 = latitude_by_isometric(phi + step * k3)
        phi += step * (k1 + 2 * k2 + 2 * k3 + k4) / 6
    arc = _simpson(arc_by_latitude, 0, phi)
    return 500_000 + 0.9996 * arc.imag, 0.9996 * arc.real


def geographic(easting: float | None, northing: float | None) -> tuple[float, float]:
    frame = pl.DataFrame({"e": [easting], "n": [northing]}, schema={"e": pl.Float64, "n": pl.Float64})
    return frame.select(latitude("e", "n"), longitude("e", "n").alias("lon")).row(0)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [(57.72, 10.58), (54.56, 11.97), (55.08, 14.92), (55.55, 8.08), (55.4, 10.39), (56.15, 10.2), (55.68, 12.57)],
)
def test_denmark_from_skagen_to_bornholm(lat: float, lon: float) -> None:
    assert geographic(*projected(lat, lon)) == pytest.approx((lat, lon), abs=1e-9)


def test_the_central_meridian_is_nine_degrees_and_its_length_that_of_the_ellipsoid() -> None:
    # 10,001,965.7293 m: the quarter meridian of GRS80 (Moritz, Geodetic Reference System 1980).
    lat, lon = geographic(500_000.0, 0.9996 * 10_001_965.7293)
    assert lon == 9.0
    assert lat == pytest.approx(90.0, abs=1e-8)
    assert geographic(500_000.0, 0.0) == (0.0, 9.0)


def test_the_position_that_the_danish_address_interface_published_in_both_systems() -> None:
    assert geographic(725_369.59, 6_176_652.55) == pytest.approx((55.6832383751223, 12.5851471984198), abs=1e-9)


def test_no_position_has_no_coordinates() -> None:
    assert geographic(None, 6_176_652.55) == (None, None)
