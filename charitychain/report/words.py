"""Words: one sentence for each figure of a report that says how it is computed."""

from __future__ import annotations

_PERIOD = "dated in the period (by the last day that is stated, else the day of sealing)"

_OF = "Of the gifts of the period, "

_AND_GOODS = "; money that bought goods or another unit counts by what became of all that it bought, in proportion."

_INDEPENDENT = "a party that is neither who paid, nor the owner of the account that paid, nor the operator"

STATES = {
    "transit": (
        "in transit",
        f"{_OF}what another party took in for an account or passed on to it, rests there, and nobody there"
        f" acknowledged{_AND_GOODS}",
    ),
    "held": (
        "held",
        f"{_OF}what rests in accounts at the head of the ledger, less what is in transit or disputed{_AND_GOODS}",
    ),
    "reported": (
        "merely reported by whoever spent it",
        f"{_OF}what was used by expenditures that name no document, as far as nobody acknowledged or disputes"
        f" it{_AND_GOODS}",
    ),
    "evidenced": (
        "merely evidenced by named documents",
        f"{_OF}what was used by expenditures that name documents by their hashes, as far as nobody acknowledged or"
        f" disputes it{_AND_GOODS}",
    ),
    "acknowledged": (
        "acknowledged by an independent key",
        "All gifts of the period are followed along what paid for what; the share whose trace reaches an end"
        " acknowledged by an independent key is what expenditures used, as far as it was acknowledged by"
        f" {_INDEPENDENT}, and that speaks for itself, and nobody disputes it{_AND_GOODS}",
    ),
    "operator": (
        "acknowledged by the operator alone",
        f"{_OF}what was used, and acknowledged beyond what independent keys did by the operator's key{_AND_GOODS}",
    ),
    "stand-in": (
        "acknowledged by a stand-in alone",
        f"{_OF}what was used, and acknowledged beyond that only by somebody who speaks for the receiver{_AND_GOODS}",
    ),
    "disputed": (
        "disputed",
        f"{_OF}what was used by expenditures that somebody disputes or a stolen key signed, what went back by refunds"
        " that such a key signed, what rests of gifts and transfers that somebody denies or such a key signed for, and"
        f" whatever became of gifts that such a key entered{_AND_GOODS}",
    ),
    "refunded": ("refunded", f"{_OF}what went back to donors by refunds that no stolen key signed{_AND_GOODS}"),
    "lost": ("lost", f"{_OF}what expenditures of the category loss took, as far as nobody disputes it{_AND_GOODS}"),
    "sent": (
        "sent to other ledgers",
        f"{_OF}what left for another ledger, by records that no stolen key signed; how it went on there only that one"
        f" shows{_AND_GOODS}",
    ),
    "earned": (
        "earned what a sponsor paid",
        f"{_OF}what conversions took that another account funded; the sponsor's money is counted as the sponsor's gift"
        " and not here.",
    ),
    "not followed": ("not followed", f"{_OF}what moved on more ways than one report may walk{_AND_GOODS}"),
}
GOODS = f"{_OF}what conversions took that no other account funded; its states are counted in the shares above."
GOODS_ACKNOWLEDGED = (
    "Of that, the share of each conversion's money that the goods acknowledged by an independent key are of all goods"
    " it gave: rounded down for all the money of a conversion, and parted among its gifts so that their parts sum to"
    " that."
)
GIFTS = f"Single gifts and gifts in columns {_PERIOD}, those entered wrongly included."
GIFTS_SINGLE = f"Donation records {_PERIOD}, those entered wrongly included."
GIFTS_COLUMNS = (
    f"The counts of all records of gifts in columns {_PERIOD}, those entered wrongly included; columns are checked"
    " against their roots."
)
GIFTS_UNDONE = "Gifts of the period that were wholly reversed up to the head; none of their money counts as received."
DONORS = (
    "Different pseudonyms of donors among the gifts of the period, those entered wrongly included; gifts without one"
    " count nobody."
)
MERCHANTS = (
    "Different pseudonyms of second parties among the gifts of the period, those entered wrongly included; they are"
    " merchants in gifts of orders, and whoever else a programme names second."
)
ORGANISATIONS = "Parties that own an account at the head, whatever their role, the operator included."
PROJECTS = (
    f"Accounts from which something was spent by expenditures {_PERIOD} that stand at the head, losses left out."
)
ACCOUNTS = "Accounts that were opened up to the head, in whatever unit."
ACCOUNTS_OPEN = "Of these, the ones that are not closed at the head."
RECEIVED = (
    f"Amounts of all gifts {_PERIOD}, less what of them was reversed as entered wrongly; what a stolen key entered is"
    " part of it, and told apart."
)
ELSEWHERE = (
    "Of what was received, what came from other ledgers, less what of it was reversed; it counts as a gift here, of the"
    " source other ledger, and whether the other ledger sent it only that one shows."
)
STOLEN = (
    "Of what was received, the gifts that a key entered which was compromised by then; disputed, whatever they became."
)
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
REFUNDED = f"Amounts of all refunds {_PERIOD}, those that a stolen key signed included."
SENT = f"Amounts of all that was sent to other ledgers {_PERIOD}, less what was taken back up to the head."
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
OUTCOME = (
    f"Quantities of all outcome records with this indicator {_PERIOD}, without the disputed ones; indicators are one"
    " whatever their case and spacing, and different ones are never added up."
)
_CLAIMS = "Of the quantities of outcome records with this indicator, those"
OUTCOME_STATES = {
    "acknowledged": (
        "acknowledged by an independent key",
        f"{_CLAIMS} that a party acknowledged that neither said the outcome, nor owns its account, nor had a part in"
        " the expenditures behind it, nor is the operator, and that nobody disputes.",
    ),
    "operator": ("acknowledged by the operator alone", f"{_CLAIMS} that of all others only the operator acknowledged."),
    "stand-in": (
        "acknowledged by a stand-in alone",
        f"{_CLAIMS} that only somebody acknowledged who speaks for the receiver.",
    ),
    "evidenced": (
        "merely evidenced by named documents",
        f"{_CLAIMS} that name documents, and that nobody acknowledged or disputes.",
    ),
    "reported": ("merely reported", f"{_CLAIMS} that name no document, and that nobody acknowledged or disputes."),
    "flagged": (
        "flagged by the audit",
        f"{_CLAIMS} that nobody disputes and the audit asks about: they claim more than stands of the expenditures that"
        " they name, or more than stands together with others; part of the states above.",
    ),
    "disputed": (
        "disputed, and not counted",
        f"{_CLAIMS} that somebody disputes or a stolen key signed; never part of the total.",
    ),
}  # fmt: skip
STATED = f"Outcome records with this indicator {_PERIOD}, without the disputed ones."
PEOPLE = "Beneficiaries that these records state, added up; one person may be counted by several."
LATE = (
    f"Records {_PERIOD} whose stated date begins in a period of the books that was closed before they came in."
)
AT_RATES = (
    "The sums in {units} times their rates, exact, and rounded half to even in the end; without a rate and left out:"
    " {rest}; the rates are those of the file with SHA-256 {sha256}."
)
AT_RATES_SHARE = (
    "Of what was received in {units}, what is {state} in the shares of these units; numerator and denominator are the"
    " sums times their rates, each exact, and rounded half to even in the end; without a rate and left out: {rest}; the"
    " rates are those of the file with SHA-256 {sha256}."
)
AT_RATES_OF = {
    "received": "Received",
    "spent": "Spent",
    "held": "Held",
    "acknowledged": "Received and acknowledged by an independent key",
}
