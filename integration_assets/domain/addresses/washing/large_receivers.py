"""Postal codes that belong to one large receiver of mail (stormodtagere) and to no district.

Such a receiver's houses lie in an ordinary district, but its mail names the receiver's own code. Source: the list of
the Danish address web service DAWA, last published in 2021.
"""

from typing import Final

import polars as pl

_RECEIVERS: Final = (
    ("0800", "Høje Taastrup", "Girostrøget", "1", "2630"),
    ("0999", "København C", "Emil Holms Kanal", "20", "2300"),
    ("1092", "København K", "Holmens Kanal", "2", "1060"),
    ("1092", "København K", "Holmens Kanal", "10", "1060"),
    ("1092", "København K", "Holmens Kanal", "10B", "1060"),
    ("1092", "København K", "Holmens Kanal", "12", "1060"),
    ("1093", "København K", "Havnegade", "5", "1058"),
    ("1095", "København K", "Kongens Nytorv", "13", "1050"),
    ("1098", "København K", "Esplanaden", "50", "1263"),
    ("1140", "København K", "Møntergade", "19", "1116"),
    ("1147", "København K", "Pilestræde", "34", "1112"),
    ("1148", "København K", "Vognmagergade", "11", "1120"),
    ("1217", "København K", "Slotsholmsgade", "1", "1216"),
    ("1240", "København K", "Christiansborg Slotsplads", "1", "1218"),
    ("1240", "København K", "Rigsdagsgården", "6", "1218"),
    ("1291", "København K", "Sankt Annæ Plads", "26", "1250"),
    ("1291", "København K", "Sankt Annæ Plads", "28", "1250"),
    ("1448", "København K", "Asiatisk Plads", "2", "1402"),
    ("1566", "København V", "Tietgensgade", "37", "1704"),
    ("1566", "København V", "Bernstorffsgade", "36", "1577"),
    ("1592", "København V", "Bernstorffsgade", "17", "1577"),
    ("1592", "København V", "Bernstorffsgade", "21", "1577"),
    ("1599", "København V", "Rådhuspladsen", "1", "1550"),
    ("1630", "København V", "Vesterbrogade", "3", "1620"),
    ("1780", "København V", "Anker Heegaards Gade", "4", "1572"),
    ("1780", "København V", "Anker Heegaards Gade", "8", "1572"),
    ("1780", "København V", "Bernstorffsgade", "27", "1577"),
    ("1780", "København V", "Frederikskaj", "4", "2450"),
    ("1780", "København V", "Frederikskaj", "8", "2450"),
    ("1780", "København V", "Kalvebod Brygge", "1", "1560"),
    ("1780", "København V", "Kalvebod Brygge", "31", "1560"),
    ("1780", "København V", "Kalvebod Brygge", "47", "1560"),
    ("1780", "København V", "Kampmannsgade", "4", "1604"),
    ("1780", "København V", "Nyropsgade", "21", "1602"),
    ("1780", "København V", "Nyropsgade", "25", "1602"),
    ("1780", "København V", "Nyropsgade", "30", "1602"),
    ("1780", "København V", "Otto Mønsteds Plads", "9", "1563"),
    ("1780", "København V", "Polititorvet", "1", "1567"),
    ("1780", "København V", "Polititorvet", "14", "1567"),
    ("1780", "København V", "Vester Voldgade", "123", "1552"),
    ("1780", "København V", "Vesterbrogade", "6D", "1620"),
    ("1780", "København V", "Vesterbrogade", "9", "1620"),
    ("1785", "København V", "Rådhuspladsen", "37", "1550"),
    ("1786", "København V", "Vesterbrogade", "8", "1620"),
    ("1786", "København V", "Torvegade", "2", "1400"),
    ("1787", "København V", "H.C. Andersens Boulevard", "18", "1553"),
)

_COLUMNS: Final = ("receiver_postcode", "receiver_district", "street_name", "house_number", "postcode")


def large_receivers() -> pl.DataFrame:
    """One row per house of a large receiver: receiver_postcode, receiver_district, street_name, house_number, and
    postcode of the district in which the house lies; all text."""
    return pl.DataFrame(list(_RECEIVERS), schema=dict.fromkeys(_COLUMNS, pl.String), orient="row")


RECEIVER_POSTCODES: Final = frozenset(row[0] for row in _RECEIVERS)
"""The postal codes of large receivers."""
