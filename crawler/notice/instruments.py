"""The instruments by which a hoster is addressed: what each is called, rests on, asks for, and how to object to it.

A deadline is a property of the instrument: 24 hours is the norm of the Dutch hosting sector for a notice; an order
under the act on the administrative approach to online child sexual abuse material (in force since 1 July 2024) may set
12 hours or less. Nothing here pauses in a weekend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from crawler.records import Rejected

MOST_HOURS: Final = 8_760
"""Longest deadline: a year."""


@dataclass(frozen=True, slots=True)
class Words:
    """What an instrument says in one language. objection: {contact} stands for where to object."""

    title: str
    basis: str
    request: str
    objection: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """deadline_hours: hours from delivery.  binding: not following it has consequences in law."""

    name: str
    deadline_hours: int
    binding: bool
    dutch: Words
    english: Words


_NOTICE: Final = Instrument(
    name="notice",
    deadline_hours=24,
    binding=False,
    dutch=Words(
        title="Kennisgeving van onrechtmatig en strafbaar materiaal",
        basis=(
            "Het betreft materiaal als bedoeld in artikel 252 van het Wetboek van Strafrecht. Deze kennisgeving is een "
            "melding in de zin van artikel 16 van Verordening (EU) 2022/2065 (digitaledienstenverordening) en van de "
            "gedragscode Notice-and-Take-Down."
        ),
        request=(
            "Maak het materiaal op elk van de genoemde adressen ontoegankelijk. Bewaar wat voor opsporing nodig kan "
            "zijn volgens uw eigen wettelijke plichten, en verspreid of bekijk het materiaal niet. Antwoord op dit "
            "bericht wanneer het is gebeurd, of wanneer een adres niet bij u hoort."
        ),
        objection=(
            "Dit is een kennisgeving en geen besluit: bezwaar in de zin van de Algemene wet bestuursrecht staat er "
            "niet tegen open. Bent u het er niet mee eens, antwoord dan op dit bericht of schrijf aan {contact}, met "
            "het kenmerk van deze kennisgeving; wij beoordelen haar dan opnieuw."
        ),
    ),
    english=Words(
        title="Notice of illegal content",
        basis=(
            "It concerns material as described in article 252 of the Dutch Criminal Code. This is a notice as meant in "
            "article 16 of Regulation (EU) 2022/2065 (Digital Services Act) and in the Dutch Notice-and-Take-Down Code "
            "of Conduct."
        ),
        request=(
            "Make the material at each of the addresses below inaccessible. Preserve what investigators may need, "
            "under your own legal duties, and neither spread nor view the material. Answer this message when it is "
            "done, or when an address is not yours."
        ),
        objection=(
            "This is a notice and no decision, so that no formal objection under the General Administrative Law Act is "
            "open against it. If you disagree, answer this message or write to {contact}, naming this notice's "
            "reference; we will then assess it again."
        ),
    ),
)

_ORDER: Final = Instrument(
    name="order",
    deadline_hours=12,
    binding=True,
    dutch=Words(
        title="Aanwijzing tot het ontoegankelijk maken van materiaal",
        basis=(
            "Deze aanwijzing rust op de Wet bestuursrechtelijke aanpak online kinderpornografisch materiaal, en "
            "betreft materiaal als bedoeld in artikel 252 van het Wetboek van Strafrecht."
        ),
        request=(
            "U bent verplicht om het materiaal op elk van de genoemde adressen binnen de termijn ontoegankelijk te "
            "maken. Bewaar wat voor opsporing nodig kan zijn volgens uw eigen wettelijke plichten, en verspreid of "
            "bekijk het materiaal niet. Meld de uitvoering door op dit bericht te antwoorden. Blijft uitvoering uit, "
            "dan kan een last onder dwangsom of een bestuurlijke boete volgen."
        ),
        objection=(
            "Tegen dit besluit kunt u binnen zes weken na bekendmaking bezwaar maken (artikelen 6:4 en 6:7 van de "
            "Algemene wet bestuursrecht) bij {contact}, met het kenmerk van deze aanwijzing. Bezwaar schorst de "
            "werking niet; bij de voorzieningenrechter kunt u om een voorlopige voorziening vragen."
        ),
    ),
    english=Words(
        title="Order to make material inaccessible",
        basis=(
            "This order rests on the Dutch act on the administrative approach to online child sexual abuse material, "
            "and concerns material as described in article 252 of the Dutch Criminal Code."
        ),
        request=(
            "You are obliged to make the material at each of the addresses below inaccessible within the deadline. "
            "Preserve what investigators may need, under your own legal duties, and neither spread nor view the "
            "material. Confirm by answering this message. If it is not done, an order subject to a penalty "
            "(last onder dwangsom) or an administrative fine may follow."
        ),
        objection=(
            "You may object to this decision within six weeks of its publication (articles 6:4 and 6:7 of the General "
            "Administrative Law Act) at {contact}, naming this order's reference. An objection does not suspend the "
            "order; you may ask the court for interim relief."
        ),
    ),
)

INSTRUMENTS: Final[Mapping[str, Instrument]] = MappingProxyType({each.name: each for each in (_NOTICE, _ORDER)})
"""Name -> instrument."""


def instrument(name: str) -> Instrument | Rejected:
    """The instrument of this name; Rejected("unknown-instrument")."""
    found = INSTRUMENTS.get(name)
    return Rejected("unknown-instrument", ", ".join(INSTRUMENTS)) if found is None else found
