"""Installation accounts (installationskonto, Anlagenkonto): the connection of a customer and an installation over time.

One method makes and updates them for all integrations; the rules follow the description of EVI's central method.
Everything here is pure.
"""
