"""From the coordinates of the Danish address register to those of maps.

The register gives positions in EPSG:25832: transverse Mercator (UTM) zone 32 on the ellipsoid GRS80, in metres, datum
ETRS89. The CRM wants latitude and longitude in degrees. ETRS89 and WGS84 are taken as one here (they differ by less
than a metre). The series of Krüger, to the fourth order in the third flattening, is exact to far below a millimetre
in Denmark.
"""

import math
from typing import Final

import polars as pl

_SEMI_MAJOR_AXIS: Final = 6_378_137.0
_FLATTENING: Final = 1 / 298.257222101
_SCALE: Final = 0.9996
_FALSE_EASTING: Final = 500_000.0
_CENTRAL_MERIDIAN: Final = 9.0

_N: Final = _FLATTENING / (2 - _FLATTENING)
_RECTIFYING_RADIUS: Final = _SEMI_MAJOR_AXIS / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)

_TO_SPHERE: Final = (
    _N / 2 - 2 * _N**2 / 3 + 37 * _N**3 / 96 - _N**4 / 360,
    _N**2 / 48 + _N**3 / 15 - 437 * _N**4 / 1440,
    17 * _N**3 / 480 - 37 * _N**4 / 840,
    4397 * _N**4 / 161280,
)
"""From the plane to the conformal sphere."""

_TO_ELLIPSOID: Final = (
    2 * _N - 2 * _N**2 / 3 - 2 * _N**3 + 116 * _N**4 / 45,
    7 * _N**2 / 3 - 8 * _N**3 / 5 - 227 * _N**4 / 45,
    56 * _N**3 / 15 - 136 * _N**4 / 35,
    4279 * _N**4 / 630,
)
"""From conformal to geodetic latitude."""


def latitude(easting: str, northing: str) -> pl.Expr:
    """Latitude in degrees north (ETRS89) of a position in metres (EPSG:25832); null when either is null."""
    along, across = _on_sphere(easting, northing)
    conformal = (along.sin() / across.cosh()).arcsin()
    geodetic = conformal
    for order, coefficient in enumerate(_TO_ELLIPSOID, start=1):
        geodetic = geodetic + coefficient * (2 * order * conformal).sin()
    return geodetic * (180 / math.pi)


def longitude(easting: str, northing: str) -> pl.Expr:
    """Longitude in degrees east (ETRS89) of a position in metres (EPSG:25832); null when either is null."""
    along, across = _on_sphere(easting, northing)
    return _CENTRAL_MERIDIAN + (across.sinh() / along.cos()).arctan() * (180 / math.pi)


def _on_sphere(easting: str, northing: str) -> tuple[pl.Expr, pl.Expr]:
    """The position on the conformal sphere's transverse Mercator plane, in radians: along and across the meridian."""
    along = pl.col(northing) / (_SCALE * _RECTIFYING_RADIUS)
    across = (pl.col(easting) - _FALSE_EASTING) / (_SCALE * _RECTIFYING_RADIUS)
    sphere_along, sphere_across = along, across
    for order, coefficient in enumerate(_TO_SPHERE, start=1):
        sphere_along = sphere_along - coefficient * (2 * order * along).sin() * (2 * order * across).cosh()
        sphere_across = sphere_across - coefficient * (2 * order * along).cos() * (2 * order * across).sinh()
    return sphere_along, sphere_across
