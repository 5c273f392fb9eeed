"""What must come of recalls, whatever happened: worked out from the authority's books in plain loops.

No rule of the product takes part: the classes of error numbers are written down anew from the specification.
"""

from collections.abc import Mapping
from typing import Any

REFUSING = {
    "MANUAL": (901, 902, 911, 912, 913, 914, 915, 919, 900, 920, 923, 929, 970, 989, 995, 998, -2),
    "HOLD": (921, 922, 999),
    "CHANNEL_STOPPED": (991, 994),
    "RETRY_WAIT": (930, 940, 949),
    "ONE_MORE": (950, 960, 969),
    "UNKNOWN": (-1, -3),
    "RECONCILE": (-4,),
}
"""Error numbers by what a caller makes of them (specification D.4, written down anew)."""


def expected_states(action: str, books: Mapping[str, Any], *, exhausted: bool) -> tuple[str, ...]:
    """Where an action may stand once nothing is due any more and no person has looked at it.

    What the authority has decided counts, whatever the answers were. Of what it never took, the last answer counts. One
    exception is nobody's fault: when the refusal of a transaction was lost, sending it again is answered with "known
    already", and the caller must believe that; all he can do is notice that no status comes.
    """
    record = books["actions"].get(action)
    if record is not None:
        return (record["status"],)
    numbers = [arrival["number"] for arrival in books["arrivals"] if int(action) in arrival["actions"]]
    last = numbers[-1] if numbers else None
    if last in (990, 992):
        return ("MODTAGET",)
    group = next((name for name, found in REFUSING.items() if last in found), None)
    if group in ("MANUAL", "HOLD"):
        return (group, "MANUAL") if exhausted else (group,)
    if group in ("RECONCILE", "ONE_MORE"):
        return ("MANUAL",)
    return ("MANUAL",) if exhausted else ("a state that comes to an end",)


def twice(books: Mapping[str, Any]) -> list[str]:
    """Claims recalled twice, and transaction ids with two contents."""
    wrong: list[str] = []
    recalls: dict[int, list[str]] = {}
    for recall in sorted(books["recalls"], key=lambda recall: recall["n"]):
        recalls.setdefault(recall["claim"], []).append(recall["reason"])
    for claim, reasons in sorted(recalls.items()):
        again_as_wrong = len(reasons) == 2 and reasons[0] not in ("FEJL", "SMTI") and reasons[1] == "FEJL"
        if len(reasons) > 1 and not again_as_wrong:
            wrong.append(f"claim {claim} was recalled for {', '.join(reasons)}")
    contents: dict[str, set[str]] = {}
    for arrival in books["arrivals"]:
        contents.setdefault(arrival["transaction"], set()).add(str(arrival["digest"]))
    wrong += [f"transaction {key} came with two contents" for key, found in contents.items() if len(found) > 1]
    return wrong
