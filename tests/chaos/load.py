"""Requests of all kinds from several clients at once: so many, chosen by a seed.

A client that gets no answer, because whoever should have given it is gone, asks again with the
same Idempotency-Key until it has one. What was answered is kept: `books` compares.
"""

import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count, cycle
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.errors import CommunityError
from community.groups import amendments, queries
from community.groups.models import Group
from community.guarantees import group_life
from community.guarantees.failure import advance_loan, advance_loans
from community.loans.accrual import accrue
from community.loans.models import Loan
from community.loans.states import LIVE
from community.trust.service import expire_vouches
from tests.chaos.town import BEHIND, GROUP, PEOPLE, Town
from tests.serving import Served
from tests.village_life import right_answers

API = "/api/v1"
# A server that was killed is back within seconds; far more than that is a fault.
TRIES = 300
PAUSE_SECONDS = 0.1
# So many of a patient client's requests are sent by a line that breaks before the answer.
LOST = 0.08
# Nobody answered, or somebody in front of the one who should have.
GONE = (http.client.HTTPException, ConnectionError, TimeoutError)


@dataclass
class Done:
    """A request that was answered."""

    act: str
    method: str
    path: str
    who: str
    body: Any
    key: str
    status: int
    answer: Any
    replayed: bool
    tries: int

    @property
    def problem(self) -> str:
        said = self.answer if isinstance(self.answer, dict) else {}
        return str(said.get("type", "")).rpartition("/")[2]

    @property
    def took_effect(self) -> bool:
        return self.method != "GET" and self.status < 300


@dataclass
class Record:
    """What all clients were answered."""

    done: list[Done] = field(default_factory=list)
    # What writers inside this process did and were refused.
    steps: Counter[str] = field(default_factory=Counter)

    def acts(self) -> Counter[str]:
        """How often what was done, or refused for which reason."""
        return Counter(f"{item.act} {item.problem or item.status}" for item in self.done)

    def effects(self) -> set[str]:
        return {item.act for item in self.done if item.took_effect}


class Client:
    """One connection, opened again when it breaks: to the next server, where there are several."""

    def __init__(self, served: Sequence[Served], town: Town, seed: str, *, patient: bool) -> None:
        self.town, self.patient = town, patient
        self._servers = cycle(served)
        self.dice = random.Random(seed)
        self.seed, self.numbers = seed, count()
        self.done: list[Done] = []
        self.act = ""
        self.etag = ""
        self._connection: http.client.HTTPConnection | None = None

    def run(self, requests: int) -> None:
        acts = [act for act, weight in ACTS.items() for _ in range(weight)]
        while len(self.done) < requests:
            act = self.dice.choice(acts)
            self.act = act.__name__
            act(self)
        self._close()

    def ask(self, method: str, path: str, who: str, body: Any = None, etag: str = "") -> Done:
        """One request, asked again until it is answered if the client is patient."""
        key = f"{self.seed}-{next(self.numbers)}-{self.act}"
        tries, status, answer, replayed = 0, 0, None, False
        while True:
            tries += 1
            lost = self.patient and tries == 1 and self.dice.random() < LOST
            try:
                status, answer, replayed = self._send(method, path, who, body, key, etag, lost)
            except GONE:
                self._close()
                if not self.patient or tries > TRIES:
                    raise
            else:
                if status != 503 or not self.patient or tries > TRIES:
                    break
            threading.Event().wait(PAUSE_SECONDS)
        done = Done(self.act, method, path, who, body, key, status, answer, replayed, tries)
        self.done.append(done)
        return done

    def _send(
        self, method: str, path: str, who: str, body: Any, key: str, etag: str, lost: bool
    ) -> tuple[int, Any, bool]:
        if self._connection is None:
            there = next(self._servers)
            self._connection = http.client.HTTPConnection(there.host, there.port, timeout=90)
        headers = {"Authorization": f"Bearer {self.town.tokens[who]}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if method == "POST":
            headers["Idempotency-Key"] = key
        if etag:
            headers["If-Match"] = etag
        self._connection.request(
            method, API + path, None if body is None else json.dumps(body), headers
        )
        if lost:
            raise ConnectionError
        response = self._connection.getresponse()
        raw = response.read()
        if response.getheader("Connection", "").lower() == "close":
            self._close()
        self.etag = response.getheader("ETag", "")
        try:
            answer = json.loads(raw) if raw else None
        except ValueError:
            answer = raw.decode(errors="replace")
        return response.status, answer, response.getheader("Idempotency-Replayed") == "true"

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    # What acts need.

    def amount(self, *minor: int) -> dict[str, dict[str, str]]:
        return {"amount": money(self.dice.choice(minor))}

    def somebody(self) -> str:
        return self.dice.choice(PEOPLE)

    def place(self, who: str) -> str:
        return f"/communities/{self.town.community}/members/{self.town.ids[who]}"

    def pick(self, kind: str) -> tuple[str, ...] | None:
        return self.town.known.one(kind, self.dice)


def money(minor: int) -> dict[str, str]:
    return {"amount": f"{minor // 100}.{minor % 100:02}", "currency": "CNY"}


def minor(shown: dict[str, str]) -> int:
    return int(shown["amount"].replace(".", ""))


# Acts. Each asks for something that the rules may well refuse.


def deposit(client: Client) -> None:
    path = client.place(client.somebody()) + "/savings/deposits"
    slip = {"reference": f"slip {client.seed}-{next(client.numbers)}"}
    client.ask("POST", path, "officer", client.amount(1, 50, 120) | slip)


def withdraw(client: Client) -> None:
    path = client.place(client.somebody()) + "/savings/withdrawals"
    client.ask("POST", path, "officer", client.amount(30, 110, 600))


def move_stake(client: Client) -> None:
    who = client.somebody()
    way = client.dice.choice(["stake-locks", "stake-releases"])
    client.ask("POST", f"{client.place(who)}/{way}", who, client.amount(20, 90, 400))


def assess(client: Client) -> None:
    grant = {
        "kind": "standing",
        "amount": money(client.dice.choice([900, 1_500, 2_500])),
        "evidence": "seen",
        "expires_on": "2026-12-31",
    }
    who = client.dice.choice([*PEOPLE[4:], *BEHIND])
    client.ask("POST", client.place(who) + "/assessments", "officer", grant)


def offer(client: Client) -> None:
    voucher, borrower = client.dice.sample(PEOPLE, 2)
    body = {
        "side": "voucher",
        "other": client.town.ids[borrower],
        "limit": money(client.dice.choice([150, 600, 900])),
        "expires_on": client.dice.choice(["2026-03-26", "2027-12-31"]),
    }
    path = f"/communities/{client.town.community}/vouches"
    done = client.ask("POST", path, voucher, body)
    if done.status == 201:
        client.town.known.add("offer", done.answer["id"], voucher, borrower)


def answer_offer(client: Client) -> None:
    found = client.pick("offer")
    if found is not None:
        vouch, voucher, borrower = found
        step = client.dice.choice(["acceptance", "acceptance", "acceptance", "refusal"])
        done = client.ask("POST", f"/vouches/{vouch}/{step}", borrower)
        if done.status == 200 and step == "acceptance":
            client.town.known.add("vouch", done.answer["id"], voucher, borrower)


def change_vouch(client: Client) -> None:
    found = client.pick("vouch")
    if found is not None:
        vouch, voucher, _ = found
        if client.dice.random() < 0.3:
            client.ask("POST", f"/vouches/{vouch}/revocation", voucher)
            return
        seen = client.ask("GET", f"/vouches/{vouch}", voucher)
        limit = max(1, minor(seen.answer["limit"]) * client.dice.choice([50, 90]) // 100)
        client.ask("PATCH", f"/vouches/{vouch}", voucher, {"limit": money(limit)}, client.etag)


def apply(client: Client) -> None:
    borrower = client.somebody()
    body: dict[str, Any] = {
        "community": client.town.community,
        "product": client.town.product,
        "principal": money(client.dice.choice([90, 250, 400, 900])),
        "instalments": client.dice.randint(1, 5),
        "purpose": "seed",
    }
    line = client.pick("line")
    if line is not None and client.dice.random() < 0.5:
        body["credit_line"] = line[0]
    done = client.ask("POST", "/loans", borrower, body)
    if done.status == 201:
        client.town.known.add("asked", done.answer["id"], borrower)


def approve(client: Client) -> None:
    found = client.pick("asked")
    if found is not None:
        done = client.ask("POST", f"/loans/{found[0]}/approval", "officer")
        if done.status == 201:
            client.town.known.add("approved", *found)


def disburse(client: Client) -> None:
    found = client.pick("approved")
    if found is not None:
        done = client.ask("POST", f"/loans/{found[0]}/disbursement", "officer")
        if done.status == 201:
            client.town.known.add("running", *found)


def cancel(client: Client) -> None:
    found = client.pick("approved")
    if found is not None:
        client.ask("POST", f"/loans/{found[0]}/cancellation", "officer", {"reason": "not needed"})


def repay(client: Client) -> None:
    found = client.pick("running")
    if found is not None:
        body = client.amount(1, 9, 23, 37, 60, 2_000)
        if client.dice.random() < 0.3:
            body |= {"source": "third_party", "payer": client.town.ids[client.somebody()]}
        done = client.ask("POST", f"/loans/{found[0]}/repayments", "officer", body)
        if done.status == 201:
            client.town.known.add("receipt", done.answer["id"], found[0])


def settle(client: Client) -> None:
    found = client.pick("running")
    if found is not None:
        path = f"/loans/{found[0]}/payoff"
        seen = client.ask("GET", path, "officer")
        if seen.status == 200:
            done = client.ask("POST", path, "officer", {"amount": seen.answer["total"]})
            if done.status == 201:
                client.town.known.add("receipt", done.answer["id"], found[0])


def take_back(client: Client) -> None:
    found = client.pick("receipt")
    if found is not None:
        client.ask("POST", f"/receipts/{found[0]}/reversal", "officer", {"reason": "it bounced"})


def charge(client: Client) -> None:
    found = client.pick("running")
    if found is not None:
        body = client.amount(3, 40) | {"kind": "fee", "due_on": "2026-03-26", "reason": "a visit"}
        client.ask("POST", f"/loans/{found[0]}/charges", "officer", body)


def pay_call(client: Client) -> None:
    found = client.pick("call")
    if found is not None:
        body = client.amount(1, 12, 30, 60, 400)
        client.ask("POST", f"/calls/{found[0]}/payments", "officer", body)


def answer_call(client: Client) -> None:
    found = client.pick("call")
    if found is not None:
        call, guarantor = found
        step, who, body = client.dice.choice(
            [
                ("dispute", guarantor, {"reason": "was never asked"}),
                ("promise", guarantor, {"pay_on": "2026-03-28"}),
                ("resolution", "officer", {"reason": "the signature is there"}),
            ]
        )
        client.ask("POST", f"/calls/{call}/{step}", who, body)


def see_calls(client: Client) -> None:
    """Calls that the day has opened meanwhile become known."""
    who = client.dice.choice([*PEOPLE, *BEHIND])
    done = client.ask("GET", "/me/calls?limit=5", who)
    for item in done.answer["items"] if done.status == 200 else ():
        client.town.known.add("call", item["id"], who)


def change_line(client: Client) -> None:
    found = client.pick("line")
    if found is None:
        return
    path, why = f"/credit-lines/{found[0]}", {"reason": "so it was decided"}
    limit = {"limit": money(client.dice.choice([300, 700, 1_500]))} | why
    soft = {"no_new_draws_until_below": client.dice.random() < 0.5}
    way = client.dice.randrange(5)
    if way == 0:
        client.ask("GET", path, "officer")
        client.ask("PATCH", path, "officer", limit | soft, client.etag)
    elif way == 1:
        member = client.town.ids[client.dice.choice(PEOPLE[:6])]
        client.ask("PUT", f"{path}/sub-limits/{member}", "officer", limit | soft)
    elif way == 2:
        raised = {"by": money(200), "until_on": "2026-04-10"} | why
        client.ask("POST", f"{path}/raises", "officer", raised)
    else:
        # Twice as often open as shut.
        shut = client.dice.random() < 0.3
        client.ask("POST", f"{path}/{'suspension' if shut else 'resumption'}", "officer", why)


def live_in_group(client: Client) -> None:
    found = client.pick("group")
    if found is None:
        return
    path, who = f"/groups/{found[0]}", client.dice.choice(GROUP)
    other = client.town.ids[client.dice.choice(GROUP)]
    way = client.dice.randrange(6)
    if way == 0:
        cap = {"pair_cap": money(client.dice.choice([200, 300, 350])), "reason": "a good year"}
        done = client.ask("POST", f"{path}/amendments", who, cap)
        if done.status == 201:
            client.town.known.add("amendment", done.answer["id"])
    elif way == 1:
        client.ask("PUT", f"{path}/recall", who, {"recall": client.dice.random() < 0.5})
    elif way == 2:
        client.ask("PUT", f"{path}/vote", who, {"candidate": other})
    elif way == 3:
        client.ask("POST", f"{path}/exit", who)
    elif way == 4:
        body = {"member": other, "settlement": "repaid", "reason": "quarrels"}
        client.ask("POST", f"{path}/expulsions", who, body)
    else:
        proposal = client.pick("amendment")
        if proposal is not None:
            client.ask("POST", f"/amendments/{proposal[0]}/refusal", who)


def hold(client: Client) -> None:
    found = client.pick("hold")
    if found is not None and client.dice.random() < 0.6:
        step, body = client.dice.choice([("posting", {}), ("void", {"reason": "not needed"})])
        client.ask("POST", f"/holds/{found[0]}/{step}", "officer", body)
        return
    body = client.amount(10, 90, 400) | {
        "expires_on": "2026-12-31",
        "reason": "seed",
        "reference": f"paper {client.seed}-{next(client.numbers)}",
    }
    done = client.ask("POST", client.place(client.somebody()) + "/holds", "officer", body)
    if done.status == 201:
        client.town.known.add("hold", done.answer["id"])


def look(client: Client) -> None:
    who = client.somebody()
    path = client.dice.choice(["credit-limit", "exposure", "standing", "savings"])
    client.ask("GET", f"{client.place(who)}/{path}", who)


# How often each is chosen.
ACTS: dict[Callable[[Client], None], int] = {
    deposit: 3,
    withdraw: 2,
    move_stake: 3,
    assess: 1,
    offer: 2,
    answer_offer: 3,
    change_vouch: 2,
    apply: 7,
    approve: 8,
    disburse: 6,
    cancel: 2,
    repay: 9,
    settle: 1,
    take_back: 3,
    charge: 1,
    pay_call: 5,
    answer_call: 2,
    see_calls: 2,
    change_line: 3,
    live_in_group: 2,
    hold: 2,
    look: 3,
}


@contextmanager
def clients_at_work(
    served: Served | Sequence[Served],
    town: Town,
    *,
    clients: int,
    requests: int,
    patient: bool = False,
) -> Iterator[Record]:
    """So many clients, each with so many requests to one server or several, the day between them.

    Within the block they are at work; after it they are all done. Whatever a client met that it
    should not have met is raised.
    """
    record, faults = Record(), []
    gate = threading.Barrier(clients + 1)
    number = next(town.numbers)
    servers = [served] if isinstance(served, Served) else list(served)
    working = [
        Client(
            servers[place % len(servers) :] + servers[: place % len(servers)],
            town,
            f"load{number}-client{place}",
            patient=patient,
        )
        for place in range(clients)
    ]

    def run(client: Client) -> None:
        gate.wait(60)
        try:
            client.run(requests)
        except BaseException as fault:  # noqa: BLE001  told in the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(client,)) for client in working]
    for thread in threads:
        thread.start()
    gate.wait(60)
    try:
        yield record
    finally:
        for thread in threads:
            thread.join(500)
            assert not thread.is_alive(), "a client waits for ever"
        record.done = [done for client in working for done in client.done]
    if faults:
        raise faults[0]


def days_work(town: Town, dice: random.Random, record: Record) -> None:
    """One thing that the day, or several people together, do in a unit of work."""
    when = {"on": town.on, "now": town.now}
    with town.session() as session:
        loan_ids = session.scalars(select(Loan.id).where(Loan.status.in_(LIVE))).all()
        group_id = session.scalars(select(Group.id)).first()
        [community_id] = set(session.scalars(select(Loan.community_id)))
        session.rollback()
        place = {"community_id": community_id, **when}
        steps: list[Callable[[Session], Any]] = [
            partial(accrue, after_id=0, limit=100, **place),
            partial(expire_vouches, **place),
            partial(_sign_all, group_id=group_id, **when),
            partial(group_life.tend_group, group_id=group_id, **when),
            partial(advance_loans, loan_ids=loan_ids, **when),
            *[partial(advance_loan, loan_id=loan_id, **when) for loan_id in loan_ids[-3:]],
        ]
        step = dice.choice(steps)
        name = step.func.__name__.strip("_")  # type: ignore[attr-defined]
        try:
            run_unit(session, step)
        except CommunityError as refusal:
            name += f" refused: {refusal.code}"
        record.steps[name] += 1


def _sign_all(session: Session, *, group_id: int, **when: Any) -> None:
    """Everybody signs what is proposed, and it is put into force."""
    amendment = queries.open_amendment(session, group_id)
    if amendment is None:
        return
    act: dict[str, Any] = {"amendment_id": amendment.id, "actor_id": None, **when}
    for member_id in sorted(amendments.missing(session, amendment)):
        asked = amendments.questionnaire(session, amendment_id=amendment.id, member_id=member_id)
        who = act | {"member_id": member_id, "agreement_hash": asked.agreement_hash}
        amendments.answer_questions(session, **who, answers=right_answers(asked.questions))
        amendments.sign(session, **who)
    group_life.put_into_force(session, **act)


def codes(done: Sequence[Done]) -> Counter[int]:
    return Counter(item.status for item in done)
