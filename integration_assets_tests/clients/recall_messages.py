"""Messages of the debt authority written by hand: statuses, receipts, answers."""

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
TERMS = 'xmlns="http://skat.dk/begrebsmodel/2009/01/15/"'
CONTEXT = 'xmlns:k="http://skat.dk/begrebsmodel/xml/schemas/kontekst/2007/05/31/"'


def enveloped(content: str) -> str:
    """A SOAP message."""
    return f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}"><s:Body>{content}</s:Body></s:Envelope>'


def debtor(extra: str = "", amount: str = "1200.00") -> str:
    """A hæftelse; `extra` stands at the end of its KundeStruktur."""
    return (
        "<DMITilbagekaldFordringHæftelse><KundeStruktur><KundeNummer>0000000001</KundeNummer>"
        f"<KundeType>PERSON</KundeType>{extra}</KundeStruktur><HæftelseForældelseDato>2028-06-01</HæftelseForældelseDato>"
        f"<HæftelseBeløbStruktur><ValutaKode>DKK</ValutaKode><HæftelseBeløb>{amount}</HæftelseBeløb>"
        "</HæftelseBeløbStruktur></DMITilbagekaldFordringHæftelse>"
    )


def receipt(
    claim: int, main: int, amount: str, effective: str, *, interest: str = "", debtors: str | None = None
) -> str:
    """A kvittering."""
    return (
        f"<DMITilbagekaldFordringKvittering><DMIFordringID>{claim}</DMIFordringID>"
        f"<DMIFordringHovedFordringID>{main}</DMIFordringHovedFordringID>"
        "<DMIFordringFordringArtKode>INDR</DMIFordringFordringArtKode><DMIFordringTypeKode>FOFAKFY</DMIFordringTypeKode>"
        f"<DMIFordringFordringHaverRef>K{main}-{claim}</DMIFordringFordringHaverRef>"
        f"<FordringBeløbStruktur><ValutaKode>DKK</ValutaKode><DMIFordringBeløb>{amount}</DMIFordringBeløb>"
        f"</FordringBeløbStruktur><DMIFordringVirkningFra>{effective}</DMIFordringVirkningFra>"
        f"<DMIInddrivelseRenteFordringListe>{interest}</DMIInddrivelseRenteFordringListe>"
        "<DMITilbagekaldFordringHæftelseListe>"
        f"{debtor(amount=amount) if debtors is None else debtors}</DMITilbagekaldFordringHæftelseListe>"
        "</DMITilbagekaldFordringKvittering>"
    )


def rejection(number: int, text: str, **parameters: str) -> str:
    """An AfvistÅrsag."""
    named = "".join(
        f'<MFAktionAfvistParameter navn="{name}">{value}</MFAktionAfvistParameter>'
        for name, value in parameters.items()
    )
    return (
        f"<AfvistÅrsag><MFAktionAfvistStruktur><MFAktionAfvistNummer>{number}</MFAktionAfvistNummer>"
        f"<MFAktionAfvistTekst>{text}</MFAktionAfvistTekst>{named}</MFAktionAfvistStruktur></AfvistÅrsag>"
    )


def status(
    action: int,
    claim: int,
    code: str,
    at: str = "2025-11-04T02:10:00",
    *,
    receipts: str = "",
    rejections: str = "",
    kind: str = "TILBAGEKALD",
) -> str:
    """A FordringAktionStatus."""
    return (
        f"<FordringAktionStatus><DMIFordringID>{claim}</DMIFordringID><MFAktionID>{action}</MFAktionID>"
        f"<MFAktionKode>{kind}</MFAktionKode><DMIFordringHaverID>1999</DMIFordringHaverID>"
        f"<MFAktionStatusKode>{code}</MFAktionStatusKode><MFAktionStatusÆndretDato>{at}</MFAktionStatusÆndretDato>"
        f"<AfvistÅrsagListe>{rejections}</AfvistÅrsagListe><DMITilbagekaldFordringKvitteringListe>{receipts}"
        "</DMITilbagekaldFordringKvitteringListe></FordringAktionStatus>"
    )


def info(*statuses: str, system: str = "99999999", delivery: int = 5001) -> str:
    """A FordringInfo."""
    return (
        f"<FordringInfo><FordringhaverSystemIDStruktur><VirksomhedSENummer>{system}</VirksomhedSENummer>"
        f"</FordringhaverSystemIDStruktur><MFLeveranceID>{delivery}</MFLeveranceID>"
        f"<FordringAktionStatusListe>{''.join(statuses)}</FordringAktionStatusListe></FordringInfo>"
    )


def update(*infos: str, transaction: str = "dmi-0001") -> str:
    """A status update, without an envelope."""
    return (
        f"<MFAktionStatusOpdater_I {TERMS} {CONTEXT}><Kontekst><k:HovedOplysninger><k:TransaktionsID>{transaction}"
        "</k:TransaktionsID><k:TransaktionsTid>2025-11-04T02:10:00</k:TransaktionsTid></k:HovedOplysninger></Kontekst>"
        f"{''.join(infos)}</MFAktionStatusOpdater_I>"
    )


def answer(content: str = "", *, errors: tuple[int, ...] = (), transaction: str = "tb-1") -> str:
    """A synchronous answer in its envelope."""
    told = "".join(
        f"<k:SvarReaktion><k:Fejl><k:FejlNummer>{number}</k:FejlNummer><k:FejlTekst>tekst</k:FejlTekst></k:Fejl>"
        "</k:SvarReaktion>"
        for number in errors
    )
    return enveloped(
        f"<DMIFordringAsynkronTilbagekald_O {TERMS} {CONTEXT}><Kontekst><k:HovedOplysningerSvar>"
        f"<k:TransaktionsID>{transaction}</k:TransaktionsID><k:ServiceID>DMIFordringAsynkronTilbagekald</k:ServiceID>"
        f"<k:TransaktionsTid>2025-11-03T09:00:01</k:TransaktionsTid>{told or '<k:SvarReaktion/>'}"
        f"</k:HovedOplysningerSvar></Kontekst>{content}</DMIFordringAsynkronTilbagekald_O>"
    )
