"""Words: one sentence for each figure of a report that says how it is computed."""

from __future__ import annotations

_PERIOD = "dated in the period (by the last day that is stated, else the day of sealing)"

_OF = "Of the gifts of the period, "

STATES = {
    "transit": (
        "in transit",
        f"{_OF}what another party took in for an account or passed on to it, rests there, and nobody there"
        " acknowledged.",
    ),
    "held": ("held", f"{_OF}what rests in accounts at the head of the ledger, less what is in transit."),
    "reported": (
        "merely reported by whoever spent it",
        f"{_OF}what was used by expenditures that name no document and that nobody acknowledged or disputes.",
    ),
    "evidenced": (
        "merely evidenced by named documents",
        f"{_OF}what was used by expenditures that name documents by their hashes, and that nobody acknowledged or"
        " disputes.",
    ),
    "acknowledged": (
        "acknowledged by an independent key",
        "All gifts of the period are followed along what paid for what; the share whose trace reaches an end"
        " acknowledged by an independent key is what expenditures used that another party than the payer, its owner and"
        " the operator acknowledged and nobody disputes; what bought goods counts by the fate of the goods, rounded"
        " down.",
    ),
    "operator": (
        "acknowledged by the operator alone",
        f"{_OF}what was used, and acknowledged beyond what independent keys did by the operator's key.",
    ),
    "stand-in": (
        "acknowledged by a stand-in alone",
        f"{_OF}what was used, and acknowledged by nobody but somebody who speaks for the receiver.",
    ),
    "disputed": (
        "disputed",
        f"{_OF}what was used by expenditures that somebody disputes, or that a stolen key signed, and what rests of"
        " transfers of which that is so.",
    ),
    "refunded": ("refunded", f"{_OF}what went back to donors."),
    "lost": ("lost", f"{_OF}what expenditures of the category loss took."),
    "earned": (
        "earned what a sponsor paid",
        f"{_OF}what conversions took that another account funded; the sponsor's money is counted as the sponsor's gift"
        " and not here.",
    ),
    "converted": (
        "converted, too little to buy one unit",
        f"{_OF}what conversions took for which rounding gave nothing.",
    ),
    "not followed": ("not followed", f"{_OF}what moved on more ways than one report may walk."),
}
GOODS = f"{_OF}what conversions took that no other account funded; its states are counted in the shares above."
GOODS_ACKNOWLEDGED = (
    "For each conversion, money times goods acknowledged by an independent key divided by goods given, rounded down,"
    " added up."
)
GIFTS = f"Single gifts and gifts in columns {_PERIOD}, those entered wrongly included."
GIFTS_SINGLE = f"Donation records {_PERIOD}."
GIFTS_COLUMNS = f"The counts of all records of gifts in columns {_PERIOD}; columns are checked against their roots."
GIFTS_UNDONE = "Gifts of the period that were wholly reversed up to the head; none of their money counts as received."
DONORS = "Different pseudonyms of donors among the gifts of the period; gifts without one count nobody."
MERCHANTS = "Different pseudonyms of second parties among the gifts of the period."
ORGANISATIONS = "Parties with the role charity that own an account at the head."
PROJECTS = "Accounts that were opened up to the head."
RECEIVED = f"Amounts of all gifts {_PERIOD}, less what of them was reversed as entered wrongly."
RECEIVED_BY = {
    "source": "Of what was received, the gifts whose record states this source, or none.",
    "programme": "Of what was received, the gifts into accounts that bear this tag programme at the head, or none.",
    "organisation": "Of what was received, the gifts into accounts that this party owned when the gift was sealed.",
    "region": "Of what was received, the gifts into accounts that bear this tag region at the head, or none.",
}
SPENT = f"Amounts of all expenditures {_PERIOD}, less what of them was reversed up to the head, and without losses."
SPENT_BY = {
    "category": "Of what was spent, the expenditures that state this category, or none.",
    "programme": "Of what was spent, what left accounts that bear this tag programme at the head, or none.",
    "organisation": "Of what was spent, what left accounts that this party owned when the expenditure was sealed.",
    "region": "Of what was spent, what left accounts that bear this tag region at the head, or none.",
}
ADMINISTRATION = "Spending of the category administration divided by all spending, losses left out."
LOST = f"Amounts of all expenditures of the category loss {_PERIOD}, less what of them was reversed."
REFUNDED = f"Amounts of all refunds {_PERIOD}."
HELD = "What all accounts in this unit hold at the head, whenever it came."
TRANSIT = "Of what is held, what another party took in or passed on, and nobody acknowledged that it arrived."
CONVERSIONS = f"Amounts of all conversions between these units {_PERIOD} that no other account funded."
EARNED = (
    f"Amounts of all conversions {_PERIOD} that another account funded: what was earned, never added to what was given."
)
CONVERTED = {
    False: ("{given} turned into {got}", "{got} that {given} was turned into"),
    True: ("{given} exchanged for {got} of a sponsor", "{got} of sponsors that {given} earned"),
}
OUTCOME = f"Quantities of all outcome records with this indicator {_PERIOD}; indicators are never added up."
STATED = f"Outcome records with this indicator {_PERIOD}."
PEOPLE = "Beneficiaries that these records state, added up; one person may be counted by several."
LATE = f"Records {_PERIOD} whose day lies in a period of the books that was closed before they came in."
AT_RATES = (
    "The sums in {units} times their rates, exact, and rounded half to even in the end; without a rate and left out:"
    " {rest}; the rates are those of the file with SHA-256 {sha256}."
)
AT_RATES_OF = {
    "received": "Received",
    "spent": "Spent",
    "held": "Held",
    "acknowledged": "Received and acknowledged by an independent key",
}
