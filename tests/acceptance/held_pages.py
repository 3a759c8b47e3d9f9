"""What each provider's server holds, as pages: of a first load, of one an hour later, of one that leads in a circle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.acceptance.fault_server import Page

NOW = 1_780_000_000
LISTS = ("customers", "subscriptions", "invoices", "charges")


@dataclass(frozen=True)
class Held:
    """What a provider's server holds, and how it is asked.

    `first` are the pages of the first load, `later` those of one an hour later; `ids` and `changed` what of it is in
    each raw table then, `changed` as (raw table, id). `circle` are pages whose cursor leads back to where it was;
    `again` what a load asks besides that goes on after one that was cut off half-way. `size` is how many records a page
    of the provider has here, where they are too many for a test.
    """

    source: dict[str, Any]
    first: list[Page]
    ids: dict[str, set[str]]
    later: list[Page]
    changed: set[tuple[str, str]]
    circle: list[Page]
    again: list[Page] = field(default_factory=list)
    size: int | None = None


def stripe() -> Held:
    def record(kind: str, number: int, **more: Any) -> dict[str, Any]:
        customer = {} if kind == "customers" else {"customer": f"customers_{number}"}
        return {"id": f"{kind}_{number}", "object": kind[:-1], "created": NOW - 90_000, **customer, **more}

    def listed(kind: str, records: list[dict[str, Any]], since: int | None = None) -> list[Page]:
        query = {"limit": "100"} | ({"status": "all"} if kind == "subscriptions" else {})
        query |= {} if since is None else {"created[gte]": str(since)}
        starts = range(0, max(len(records), 1), 100)
        return [
            Page(
                f"/v1/{kind}",
                {"data": records[start : start + 100], "has_more": start + 100 < len(records)},
                {**query, "starting_after": records[start - 1]["id"] if start else None},
            )
            for start in starts
        ]

    how_many = {"customers": 230, "subscriptions": 120, "invoices": 310, "charges": 40}
    records = {kind: [record(kind, number) for number in range(count)] for kind, count in how_many.items()}
    paid = [record("invoices", number, total=5, currency="usd") for number in range(12)]
    new = record("customers", 1000)
    named = [*paid, new]
    events = [
        {"id": f"evt_{number}", "created": NOW + 60, "data": {"object": named[number % len(named)]}}
        for number in range(130)
    ]
    since = NOW - 3600
    first = [*listed("events", [], since), *(page for kind in LISTS for page in listed(kind, records[kind]))]
    circle = Page("/v1/customers", {"data": records["customers"][:100], "has_more": True}, {})
    return Held(
        {"api_key": "env:PROVIDER_KEY", "match": {"by": ["email_domain"]}},
        first,
        {kind: {one["id"] for one in records[kind]} for kind in LISTS},
        [
            *listed("events", events, since),
            *(Page(f"/v1/{'customers' if one is new else 'invoices'}/{one['id']}", one) for one in named),
        ],
        {("invoices", one["id"]) for one in paid} | {("customers", new["id"])},
        [circle, *(page for page in first if page.path != "/v1/customers")],
    )


def zendesk() -> Held:
    def records(count: int, **fields: Any) -> list[dict[str, Any]]:
        return [{"id": number + 1, "created_at": "2026-05-01T10:00:00Z", **fields} for number in range(count)]

    users = records(24, organization_id=2)
    organizations, tickets = records(30), records(50, status="open", updated_at="2026-05-02T10:00:00Z")
    ratings = records(25, score="good", ticket_id=3)
    export = "/api/v2/incremental/organizations"

    def exported(found: list[dict[str, Any]], start: int, end: int, is_last: bool) -> Page:
        body = {"organizations": found, "end_time": end, "end_of_stream": is_last}
        return Page(export, body, {"start_time": str(start)})

    def ticketed(found: list[dict[str, Any]], cursor: str | None, after: str, is_last: bool) -> Page:
        body = {"tickets": found, "metric_sets": [], "after_cursor": after, "end_of_stream": is_last}
        where = {"cursor": cursor, "start_time": None if cursor else "1"}
        return Page("/api/v2/incremental/tickets/cursor", body, {**where, "include": "metric_sets"})

    def known(found: list[dict[str, Any]], cursor: str | None, after: str, is_last: bool) -> Page:
        where = {"cursor": cursor, "start_time": None if cursor else "1"}
        body = {"users": found, "after_cursor": after, "end_of_stream": is_last}
        return Page("/api/v2/incremental/users/cursor", body, where)

    def rated(found: list[dict[str, Any]], since: int, after: str | None, following: str | None) -> Page:
        body = {"satisfaction_ratings": found, "meta": {"has_more": following is not None, "after_cursor": following}}
        return Page("/api/v2/satisfaction_ratings", body, {"start_time": str(since), "page[after]": after})

    reached = NOW - 40_000
    first = [
        exported(organizations[:20], 1, reached - 9, False), exported(organizations[20:], reached - 9, reached, True),
        known(users[:20], None, "u", False), known(users[20:], "u", "v", True),
        ticketed(tickets[:20], None, "a", False), ticketed(tickets[20:40], "a", "b", False),
        ticketed(tickets[40:], "b", "c", True), rated(ratings[:20], 1, None, "r"), rated(ratings[20:], 1, "r", None),
    ]  # fmt: skip
    solved = [{**one, "status": "solved"} for one in tickets[:5]]
    later = [
        exported([*organizations[28:], {"id": 99}], reached - 3600, reached + 60_000, True),
        known([users[3] | {"organization_id": 3}], "v", "w", True),
        ticketed(solved, "c", "d", False), ticketed([], "d", "e", True),
        rated([{"id": 99, "score": "bad", "ticket_id": 4}], NOW - 3600, None, None),
    ]  # fmt: skip
    # The second of two runs: a load that was cut off in the middle of the tickets asks the organizations once more.
    again = exported(organizations[20:], reached - 3600, reached, True)
    return Held(
        {"api_key": "env:PROVIDER_KEY", "user": "env:PROVIDER_KEY", "match": {"by": ["email_domain"]}},
        first,
        {
            "organizations": {str(one["id"]) for one in organizations},
            "users": {str(one["id"]) for one in users},
            "tickets": {str(one["id"]) for one in tickets},
            "satisfaction_ratings": {str(one["id"]) for one in ratings},
        },
        later,
        {("organizations", "99"), ("users", "4"), ("satisfaction_ratings", "99")}
        | {("tickets", str(one["id"])) for one in solved},
        [exported(organizations, 1, reached, True), known(users, None, "u", True),
         ticketed(tickets[:20], None, "a", False), ticketed(tickets[20:], "a", "a", False)],
        [again, known([], "v", "v", True)],
    )  # fmt: skip


def hubspot() -> Held:
    companies, feedback = "/crm/v3/objects/companies", "/crm/v3/objects/feedback_submissions"

    def record(number: int, changed: str) -> dict[str, Any]:
        # When it changed is not kept: something that is has to differ, too.
        properties = {"hs_lastmodifieddate": changed, "domain": f"{changed[:10]}.example", "hs_value": changed[9]}
        return {"id": str(number), "updatedAt": changed, "properties": properties}

    def page(found: list[dict[str, Any]], after: str | None) -> dict[str, Any]:
        return {"results": found, **({"paging": {"next": {"after": after}}} if after else {})}

    def searched(path: str, found: list[dict[str, Any]], since: int, place: int, after: str | None = None) -> Page:
        asked = {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": str(since)}
        sent = {"filterGroups": [{"filters": [asked]}], "after": str(place)}
        return Page(f"{path}/search", page(found, after), {}, "POST", sent)

    def listed(found: list[dict[str, Any]], place: str | None, after: str | None) -> Page:
        return Page(feedback, page(found, after), {"after": place})

    old, new = "2026-05-20T10:00:00.000Z", "2026-05-28T12:00:00.000Z"
    told = int(datetime.fromisoformat(old).timestamp() * 1000)
    every, answers = [record(number, old) for number in range(40)], [record(number, old) for number in range(30)]
    first = [
        searched(companies, every[:20], 0, 0, "20"), searched(companies, every[20:], 0, 20),
        listed(answers[:10], None, "10"), listed(answers[10:20], "10", "20"), listed(answers[20:], "20", None),
        searched(feedback, [], (NOW - 3600) * 1000, 0),
    ]  # fmt: skip
    changed = [record(number, new) for number in (3, 50)]
    later = [
        searched(companies, [*every[30:], *changed], told - 3_600_000, 0),
        searched(feedback, changed, (NOW - 3600) * 1000, 0),
        *(Page(f"{feedback}/{one['id']}", one) for one in changed),
    ]
    again = [
        searched(companies, every[20:], told - 3_600_000, 0), searched(feedback, [], (NOW - 3599) * 1000, 0),
    ]  # fmt: skip
    return Held(
        {"api_key": "env:PROVIDER_KEY", "match": {"by": ["email_domain"]}},
        first,
        {"companies": {one["id"] for one in every}, "feedback_submissions": {one["id"] for one in answers}},
        later,
        {(table, one["id"]) for table in ("companies", "feedback_submissions") for one in changed},
        [searched(companies, every[:20], 0, 0, "20"), searched(companies, every[20:], 0, 20, "0")],
        again,
    )


def intercom() -> Held:
    scroll = "/companies/scroll"

    def record(one: str, **more: Any) -> dict[str, Any]:
        return {"id": one, "created_at": NOW - 90_000, "updated_at": NOW - 80_000, **more}

    def scrolled(found: list[dict[str, Any]], parameter: str | None, following: str | None) -> Page:
        return Page(scroll, {"data": found, "scroll_param": following}, {"scroll_param": parameter})

    def searched(kind: str, found: list[dict[str, Any]], since: int, after: str | None, following: str | None) -> Page:
        body = {"data" if kind == "contacts" else kind: found, "pages": {"next": {"starting_after": following}}}
        place = {"starting_after": after} if after else {}
        sent = {"query": {"field": "updated_at", "operator": ">", "value": since}, "pagination": place}
        absent = () if after else ("pagination.starting_after",)
        return Page(f"/{kind}/search", body if following else {**body, "pages": {}}, {}, "POST", sent, absent)

    companies = [record(f"c{number}") for number in range(30)]
    contacts = [record(f"p{number}", email=f"a@o{number}.example") for number in range(50)]
    talks = [record(f"t{number}", state="open") for number in range(40)]
    firms = [scrolled(companies[:20], None, "x"), scrolled(companies[20:], "x", None)]
    people = [searched("contacts", contacts[:30], 0, None, "30"), searched("contacts", contacts[30:], 0, "30", None)]
    first = [
        *firms, *people,
        searched("conversations", talks[:20], 0, None, "20"), searched("conversations", talks[20:], 0, "20", None),
    ]  # fmt: skip
    closed, new = [{**one, "state": "closed"} for one in talks[:3]], record("p99")
    since = NOW - 2 * 86_400
    later = [
        *firms, searched("contacts", [new, contacts[3]], since, None, None),
        searched("conversations", closed, since, None, None),
    ]  # fmt: skip
    return Held(
        {"api_key": "env:PROVIDER_KEY", "match": {"by": ["email_domain"]}},
        first,
        {
            "companies": {one["id"] for one in companies},
            "contacts": {one["id"] for one in contacts},
            "conversations": {one["id"] for one in talks},
        },
        later,
        {("contacts", "p99")} | {("conversations", one["id"]) for one in closed},
        [*firms, people[0], searched("contacts", contacts[30:], 0, "30", "30")],
    )


def delighted() -> Held:
    path = "/v1/survey_responses.json"

    def record(number: int, **more: Any) -> dict[str, Any]:
        person = {"id": f"p{number}", "email": f"a@o{number}.example"}
        return {"id": str(number), "person": person, "survey_type": "nps", "score": 9, "created_at": NOW - 9000, **more}

    def listed(found: list[dict[str, Any]], since: int, number: int) -> Page:
        return Page(path, found, {"updated_since": str(since), "page": str(number), "expand[]": "person"})

    answers = [record(number) for number in range(330)]
    first = [listed(answers[start : start + 100], 0, start // 100 + 1) for start in range(0, 330, 100)]
    since, changed = NOW - 3600, [record(3, score=2), record(999)]
    return Held(
        {"api_key": "env:PROVIDER_KEY", "match": {"by": ["email_domain"]}},
        first,
        {"survey_responses": {one["id"] for one in answers}},
        [listed([*changed, answers[7]], since, 1)],
        {("survey_responses", one["id"]) for one in changed},
        [*first[:2], listed(answers[100:200], 0, 3)],
    )


def freshdesk() -> Held:
    def at(seconds: int) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def ticket(number: int, seconds: int) -> dict[str, Any]:
        return {"id": number, "status": 2, "created_at": at(NOW - 99_000), "updated_at": at(seconds)}

    def changed(found: list[dict[str, Any]], since: str, kind: str | None = None) -> Page:
        asked = {"updated_since": since, "page": "1", "include": "stats", "filter": kind}
        return Page("/api/v2/tickets", found, asked)

    def companies(found: list[dict[str, Any]], page: int) -> Page:
        return Page("/api/v2/companies", found, {"page": str(page)})

    def ratings(found: list[dict[str, Any]], since: str) -> Page:
        return Page("/api/v2/surveys/satisfaction_ratings", found, {"created_since": since})

    begin, base = "2010-01-01T00:00:00Z", NOW - 80_000
    firms = [{"id": number, "domains": []} for number in range(130)]
    talks = [ticket(number, base + 100 * number) for number in range(250)]
    rated = [{"id": number, "ticket_id": number, "ratings": {"default_question": 103}} for number in range(20)]
    listed = [companies(firms[:100], 1), companies(firms[100:], 2)]
    junk = [ticket(number, base + 100 * number) for number in range(300, 320)]
    first = [
        *listed, changed(talks[:100], begin), changed(talks[99:199], at(base + 9_899)),
        changed(talks[198:], at(base + 19_799)), changed([], begin, "deleted"), changed(junk, begin, "spam"),
        ratings(rated, begin),
    ]  # fmt: skip
    solved = [{**talks[3], "status": 4, "updated_at": at(NOW + 60)}, ticket(999, NOW + 70)]
    return Held(
        {"api_key": "env:PROVIDER_KEY", "match": {"by": ["email_domain"]}},
        first,
        {
            "companies": {str(one["id"]) for one in firms},
            "tickets": {str(one["id"]) for one in [*talks, *junk]},
            "satisfaction_ratings": {str(one["id"]) for one in rated},
        },
        [
            *listed, changed([*talks[213:], *solved], at(base + 24_900 - 3600)),
            changed([{**talks[5], "updated_at": at(NOW + 80)}], begin, "deleted"),
            changed(junk, at(base + 31_900 - 3600), "spam"),
            ratings([{"id": 99, "ticket_id": 4, "ratings": {"default_question": 100}}], at(NOW - 3600)),
        ],
        {("tickets", "3"), ("tickets", "5"), ("tickets", "999"), ("satisfaction_ratings", "99")},
        [*listed, changed(talks[:100], begin), changed(talks[:100], at(base + 9_899))],
        [changed(talks[162:], at(base + 19_800 - 3600))],
    )  # fmt: skip


def posthog() -> Held:
    path = "/api/projects/7/query/"

    def event(number: int, arrived: int) -> list[Any]:
        return [f"e{number:03}", "export", arrived, arrived, "p", "A1", None, None]

    def asked(rows: list[list[Any]], after: int, last: str) -> Page:
        return Page(path, {"results": rows}, {}, "POST", {"query": {"values": {"after": after, "last": last}}})

    base = NOW - 90_000
    events = [event(number, base + 200 * number) for number in range(70)]

    def from_(number: int, last: int) -> Page:
        """The page of what follows an event, up to the last one."""
        return asked(events[number + 1 : last], base + 200 * number, f"e{number:03}")

    first = [asked(events[:20], 0, ""), from_(19, 40), from_(39, 60), from_(59, 70)]
    new = [event(100, NOW + 60), event(101, NOW + 61)]
    back = 3600 // 200  # events of an hour, the look-back
    return Held(
        {"api_key": "env:PROVIDER_KEY", "match": {"by": ["external_id"], "external_id": "group_0.key"}, "project": 7},
        first,
        {"events": {one[0] for one in events}},
        [asked([*events[-10:], *new], base + 200 * (69 - back), "")],
        {("events", one[0]) for one in new},
        [first[0], asked(events[:20], base + 200 * 19, "e019")],
        [
            asked(events[39 - back : 59 - back], base + 200 * (39 - back), ""),
            from_(58 - back, 79 - back),
            from_(78 - back, 70),
        ],
        size=20,
    )


def chargebee() -> Held:
    kinds = {"customers": "customer", "subscriptions": "subscription", "invoices": "invoice"}

    def entry(kind: str, number: int, changed: int) -> dict[str, Any]:
        record = {"id": f"{kind}_{number}", "created_at": NOW - 99_000, "date": NOW - 99_000, "updated_at": changed}
        return {kinds[kind]: record, "card": {"last4": "4242"}}

    def listed(
        kind: str, found: list[dict[str, Any]], since: int | None, offset: str | None, after: str | None
    ) -> Page:
        body = {"list": found, **({"next_offset": after} if after else {})}
        where = {"updated_at[after]": None if since is None else str(since), "offset": offset}
        return Page(f"/api/v2/{kind}", body, {**where, "include_deleted": "true", "sort_by[asc]": "updated_at"})

    old = NOW - 80_000
    every = {kind: [entry(kind, number, old + number) for number in range(40)] for kind in kinds}
    first = [
        page
        for kind, entries in every.items()
        for page in (listed(kind, entries[:20], None, None, "x"), listed(kind, entries[20:], None, "x", None))
    ]
    changed = {kind: [entry(kind, 3, NOW + 60), entry(kind, 99, NOW + 70)] for kind in kinds}
    since = old + 39 - 3600
    later = [listed(kind, [*every[kind][30:], *changed[kind]], since, None, None) for kind in kinds]
    circle = [*first[:1], listed("customers", every["customers"][20:], None, "x", "x")]
    return Held(
        {"api_key": "env:PROVIDER_KEY", "match": {"by": ["email_domain"]}},
        first,
        {kind: {one[kinds[kind]]["id"] for one in entries} for kind, entries in every.items()},
        later,
        {(kind, f"{kind}_{number}") for kind in kinds for number in (3, 99)},
        circle,
        [
            listed("customers", every["customers"][20:], since, None, None),
            listed("subscriptions", every["subscriptions"], old + 19 - 3600, None, None),
        ],
    )


def salesforce() -> Held:
    query = "/services/data/v62.0/queryAll"

    def at(seconds: int) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")

    def record(number: int, seconds: int) -> dict[str, Any]:
        return {
            "Id": f"{number:03}",
            "CreatedDate": at(NOW - 99_000) + "Z",
            "SystemModstamp": at(seconds) + ".000+0000",
            "Website": f"company{seconds}.example",  # the time of a change is not kept; what changed is
        }

    def page(path: str, found: list[dict[str, Any]], after: int | None, asked: str | None = None) -> Page:
        more = {"nextRecordsUrl": f"/services/data/v62.0/query/01g-{after}"} if after else {}
        return Page(path, {"records": found, **more}, {"q": asked} if asked else {})

    def soql(since: str) -> str:
        fields = "Id, CreatedDate, SystemModstamp, IsDeleted, Website"
        return f"select {fields} from Account where SystemModstamp >= {since} order by SystemModstamp, Id"

    token = Page("/services/oauth2/token", {"access_token": "session"}, {}, "POST")
    following = "/services/data/v62.0/query/01g"
    base = NOW - 80_000
    every = [record(number, base + 200 * number) for number in range(80)]
    first = [
        token, page(query, every[:20], 20, soql("1999-01-01T00:00:00Z")),
        *(page(f"{following}-{start}", every[start : start + 20], start + 20 if start < 60 else None)
          for start in (20, 40, 60)),
    ]  # fmt: skip
    changed = [record(3, NOW + 60), record(99, NOW + 70)]
    last, cut = at(base + 200 * 79 - 3600) + "Z", at(base + 200 * 19 - 3600) + "Z"
    return Held(
        {"client_id": "env:PROVIDER_KEY", "client_secret": "env:PROVIDER_KEY",
         "match": {"by": ["mapping"], "mapping": "map.csv"}},
        first,
        {"accounts": {one["Id"] for one in every}},
        [token, page(query, [*every[70:], *changed], None, soql(last))],
        {("accounts", one["Id"]) for one in changed},
        [token, first[1], page(f"{following}-20", every[20:40], 20)],
        [page(query, every[2:], None, soql(cut))],
    )  # fmt: skip


def typeform() -> Held:
    def response(number: int) -> dict[str, Any]:
        answer = {"field": {"id": "q", "type": "nps"}, "type": "number", "number": 9}
        return {"token": f"t{number}", "submitted_at": "2026-05-28T10:00:00Z", "hidden": {}, "answers": [answer]}

    def listed(found: list[dict[str, Any]], since: str | None, before: str | None) -> Page:
        return Page("/forms/abc/responses", {"items": found}, {"since": since, "before": before})

    every = [response(number) for number in range(70)]
    starts = [None, "t19", "t39", "t59"]
    first = [listed(every[20 * place : 20 * place + 20], None, before) for place, before in enumerate(starts)]
    new = [response(100), response(101)]
    since = datetime.fromtimestamp(NOW - 3600, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return Held(
        {"api_key": "env:PROVIDER_KEY", "match": {"by": ["external_id"], "external_id": "hidden.account"},
         "forms": {"abc": {"kind": "nps", "score": "q"}}},
        first,
        {"responses": {one["token"] for one in every}},
        [listed([*new, *every[:3]], since, None)],
        {("responses", one["token"]) for one in new},
        [first[0], listed(every[:20], None, "t19")],
        size=20,
    )  # fmt: skip


_EVERY = (chargebee, delighted, freshdesk, hubspot, intercom, posthog, salesforce, stripe, typeform, zendesk)
SERVED: dict[str, Callable[[], Held]] = {one.__name__: one for one in _EVERY}
