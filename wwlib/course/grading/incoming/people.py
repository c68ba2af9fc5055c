"""Who handed something in: names as Moodle, Canvas and Gradescope write them, and whom of a class they mean.

A platform writes the person's name in front of the file's own name. The person may choose the latter, and on some
platforms their own name as well: two people who hand in under one name are therefore never taken for one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field

MOODLE = re.compile(r"^(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)(?:_|$)")
CANVAS = re.compile(r"^(?P<name>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_(?:\d+_.|(?:text|link)\.html$)")
GRADESCOPE = re.compile(r"^(?P<name>submission)_(?P<number>\d+)$")
JOINERS = "\u200c\u200d"  # between letters of Persian, Hindi and other scripts they are part of a word
REPLACED = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Person:
    """Who handed in, as a place of submissions names them; somebody's several files name one person.

    Attributes:
        id: unique in that place; the learner's id where neither roster nor mapping knows a better one.
        name: as it may stand in a roster.
        keys: what a mapping file may call them.
        sure: ids that the platform itself vouches for, such as an address.
        note: what the platform says besides of this file.
    """

    id: str
    name: str = ""
    keys: tuple[str, ...] = field(default=(), compare=False)
    sure: tuple[str, ...] = ()
    note: str = field(default="", compare=False)


def tidy(text: str) -> str:
    """Return a name in one spelling: composed letters (NFC), every kind of blank a space.

    What cannot be printed, newlines and tabs among it, becomes a replacement character.
    """
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    parts = []
    for place, c in enumerate(text):
        if unicodedata.category(c) == "Zs":
            c = " "
        elif c in JOINERS:
            around = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
            c = c if len(around) == 2 and all(unicodedata.category(a)[0] in "LM" for a in around) else REPLACED
        parts.append(c if c.isprintable() or c in JOINERS else REPLACED)
    return "".join(parts)


def person_of(entry: str) -> Person:
    """Return whom the first folder or file of a path belongs to; without a platform's form, to its own name."""
    entry = tidy(entry)
    if found := MOODLE.match(entry):
        name, number = found["name"], found["number"]
        return Person(f"{name}_{number}", name, (entry, f"{name}_{number}", number, f"Participant {number}", name))
    if found := CANVAS.match(entry):
        name, number = found["name"], found["number"]
        note = "marked LATE by Canvas" if found["late"] else ""
        return Person(f"{name}_{number}", name, (entry, f"{name}_{number}", number, name), note=note)
    if GRADESCOPE.match(entry):
        return Person(entry, "", (entry,))
    return Person(entry, "", (entry,), (entry,))


def gradescope_people(text: str) -> dict[str, tuple[list[Person], str]]:
    """Return who handed in each folder of a Gradescope export, and when, from its `submission_metadata.yml`."""
    found: dict[str, tuple[list[Person], str]] = {}
    for part in re.split(r"^(?=submission_\d+:)", text, flags=re.MULTILINE):
        if not (head := re.match(r"(submission_\d+):", part)):
            continue
        people = []
        submitters = re.search(r"^  :submitters:\n((?:  [- ].*\n?)*)", part, re.MULTILINE)
        for one in re.split(r"^  - ", submitters[1] if submitters else "", flags=re.MULTILINE)[1:]:
            fields = {key: value.strip("'\" ") for key, value in re.findall(r":(name|sid|email): *(.*)", one)}
            values = [tidy(fields[key]) for key in ("sid", "email", "name") if fields.get(key)]
            if values:
                sure = tuple(tidy(fields[key]) for key in ("sid", "email") if fields.get(key))
                people.append(Person(values[0], tidy(fields.get("name", "")), (head[1], *values), sure))
        # a plain time in the same line, or Ruby's form, whose first line below is the time in UTC
        when = re.search(r"^  :created_at: *(.*(?:\n    .*)*)", part, re.MULTILINE)
        found[head[1]] = (people, when[1].strip() if when else "")
    return found


@dataclass
class Directory:
    """The people of a class, and how submissions are mapped to them.

    Attributes:
        roster: rows by `student_id`, from `wwlib.course.grading.incoming.roster.read_roster`.
        mapping: from `read_mapping`; goes before everything else.
        remarks: what an instructor should be told about the mapping.
    """

    roster: dict[str, dict] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def learners(self, people: list[Person]) -> dict[Person, str]:
        """Return the learner's id of each person; whoever maps to nobody keeps the id of the place.

        Args:
            people: one for each file that was handed in.
        """
        found, claims, keys = {}, {}, {}
        for person in people:
            keys[person] = (*keys.get(person, ()), *person.keys)
        for person in keys:
            id = next((self.mapping[key] for key in keys[person] if key in self.mapping), "")
            id = id or next((key for key in person.sure if key in self.roster), "") or self._by_address(person)
            if id:
                found[person] = id
            elif matches := self._by_name(person.name):
                claims.setdefault(matches, []).append(person)
            elif likely := self._behind_a_group(person.name):
                self.remarks.append(f"{person.id}: perhaps {likely} behind a group's name; use --mapping")
        for matches, claimants in claims.items():
            if len(matches) == 1 and len(claimants) == 1 and matches[0] not in found.values():
                found[claimants[0]] = matches[0]
            else:
                names = ", ".join(person.id for person in claimants)
                self.remarks.append(f"{names}: not clear who of the roster's {', '.join(matches)}; use --mapping")
        return {person: found.get(person, person.id) for person in keys}

    def _by_address(self, person: Person) -> str:
        rows = [id for id, row in self.roster.items() if row.get("email") and row["email"] in person.sure]
        return rows[0] if len(rows) == 1 else ""

    def _behind_a_group(self, name: str) -> str:
        """The one learner whose name follows a hyphen; a guess, since people have names with hyphens as well."""
        parts = name.split("-")
        matches = {id for n in range(1, len(parts)) for id in self._by_name("-".join(parts[n:]))}
        return matches.pop() if len(matches) == 1 else ""

    def _by_name(self, name: str) -> tuple[str, ...]:
        wanted = _letters(name)
        if not wanted:
            return ()
        matches = []
        for id, row in self.roster.items():
            first, last = row.get("first_name", ""), row.get("last_name", "")
            if wanted in (_letters(f"{first}{last}"), _letters(f"{last}{first}")):
                matches.append(id)
        return tuple(matches)


def _letters(name: str) -> str:
    """A name as Canvas writes it, for comparison: letters and digits only, without case and accents."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(c for c in plain if c.isalnum())


def safe_name(learner: str) -> str:
    """Return a learner's id as a file name that cannot leave its folder; different ids have different names.

    Letters and digits of every script stay. Where anything had to be changed, and where case alone could tell two
    names apart, a part of the id's digest follows a tilde; an id with a tilde has therefore always such a part.
    """
    allowed = lambda c: unicodedata.category(c)[0] in "LMN" or c in "-_@+" or c in JOINERS  # noqa: E731
    name = "".join(c if allowed(c) else "_" for c in learner)[:40]
    if name == learner and name and name == unicodedata.normalize("NFC", name) and not _alike(name):
        return name
    return f"{name or '_'}~{hashlib.sha256(learner.encode('utf-8', 'replace')).hexdigest()[:12]}"


def _alike(name: str) -> bool:
    """Some file systems take such a name for another one: they know no case, or reserve it."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())
    return folded != name or re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", name) is not None
