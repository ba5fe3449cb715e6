"""A cast: roles by the names of speakers, and other names that stand for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import ValidationError

from api_models.casts import RoleIn
from api_models.hints import closest, did_you_mean, quoted
from api_models.problems import Fault, InvalidInputError, faults_of
from api_models.registry import DEFAULT_MODEL, MODELS
from worker.scripts.script import NARRATOR, Script, Turn, folded

MAX_ROLES: Final = 500
SHOWN_UNKNOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    voice: str
    model: str = DEFAULT_MODEL
    style: str = ""
    gain_db: float = 0.0
    pace: float = 1.0
    language: str = ""
    fallback: str = ""
    is_replaced: bool = False
    """Whether the voice is the fallback."""


@dataclass(frozen=True, slots=True)
class Cast:
    roles: Mapping[str, Role]
    """By folded names; several may lead to one role."""
    name: str = ""
    """As it is kept; empty for a file."""
    version: int = 0

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}" if self.name else ""

    def of(self, speaker: str) -> Role | None:
        return self.roles.get(folded(speaker) or NARRATOR)

    def names(self) -> list[str]:
        """Return the names that count as names in a script."""
        return [*dict.fromkeys(role.name for role in self.roles.values()), *self.roles]

    def warnings(self) -> list[str]:
        replaced = {role.name: role for role in self.roles.values() if role.is_replaced}
        return [
            f"{role.name}: {role.model} has lost the cast's voice; the fallback {role.voice} is used"
            for role in replaced.values()
        ]


def cast_of(entries: Mapping[str, Any], source: str, model: str = "") -> Cast:
    """Check the entries of a cast. `model` is for roles that name none. Raises InvalidInputError: with every fault."""
    faults: list[Fault] = []
    found = _Entries(faults, model or DEFAULT_MODEL)
    if len(entries) > MAX_ROLES:
        faults.append(Fault(message=f"has {len(entries):,} roles; the limit is {MAX_ROLES}"))
    else:
        for name, value in entries.items():
            found.add(name, value)
    roles = found.resolved()
    if not roles and not faults:
        faults.append(Fault(message='has no roles; a role is such as Anna = {"voice": "Kore"}'))
    if faults:
        raise InvalidInputError(source, faults)
    return Cast(roles)


@dataclass(slots=True)
class _Entries:
    faults: list[Fault]
    model: str
    roles: dict[str, Role] = field(default_factory=dict)
    aliases: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By folded alias: the name that it stands for, and its own spelling."""
    circular: set[str] = field(default_factory=set)
    """Aliases of circles that are faults already."""

    def add(self, name: str, value: object) -> None:
        if not isinstance(value, str) and not isinstance(value, Mapping):
            self._fault(name, 'must be a role such as {"voice": "Kore"}, or the name of another one')
            return
        entry = _read(name, {"voice": value} if isinstance(value, str) and _is_voice(value) else _alias(value))
        if isinstance(entry, list):
            self.faults += entry
        elif entry.alias_of:
            self._add_alias(name, entry.alias_of)
            if entry.model_fields_set != {"alias_of"}:
                self._fault(f"{name}.alias_of", "stands alone: an alias has its role's voice; leave the rest out")
        else:
            self._add_role(name, entry)

    def _add_role(self, name: str, entry: RoleIn) -> None:
        for alias in entry.aliases:
            self._add_alias(alias, name)
        role = self._role(name, entry)
        if role is not None and self._is_new(name):
            self.roles[folded(name)] = role

    def _add_alias(self, alias: str, name: str) -> None:
        if self._is_new(alias):
            self.aliases[folded(alias)] = name, alias

    def _is_new(self, name: str) -> bool:
        if not folded(name):
            self._fault(name, "is an empty name; name the speaker")
        elif folded(name) in self.roles or folded(name) in self.aliases:
            self._fault(name, "is named twice; upper and lower case are the same name")
        else:
            return True
        return False

    def _role(self, name: str, entry: RoleIn) -> Role | None:
        slug = entry.model or self.model
        if slug not in MODELS:
            self._fault(
                f"{name}.model", f"no model {quoted(slug)}{did_you_mean(slug, MODELS)} (known: {', '.join(MODELS)})"
            )
            return None
        model = MODELS[slug]
        voice, fallback = model.voice_named(entry.voice), model.voice_named(entry.fallback)
        if entry.fallback and fallback is None:
            self._no_voice(f"{name}.fallback", entry.fallback, model.voices)
        elif voice is None and fallback is None:
            self._no_voice(f"{name}.voice", entry.voice, model.voices)
        return Role(
            " ".join(name.split()),
            voice or fallback or "",
            slug,
            " ".join(entry.style.split()),
            entry.gain,
            entry.pace,
            entry.language.strip(),
            fallback or "",
            is_replaced=voice is None,
        )

    def _no_voice(self, where: str, voice: str, known: Iterable[str]) -> None:
        if not voice.strip():
            self._fault(where, "is missing; name one (`ttsq voices` lists them)")
        else:
            self._fault(where, f"no voice {quoted(voice)}{did_you_mean(voice, known)} (`ttsq voices` lists them)")

    def _fault(self, where: str, message: str) -> None:
        self.faults.append(Fault(field=where, message=message))

    def resolved(self) -> dict[str, Role]:
        """Return all names with their roles."""
        roles = dict(self.roles)
        for alias, (_, spelling) in self.aliases.items():
            target = self._end(alias, spelling)
            if target is not None:
                roles[alias] = self.roles[target]
        return roles

    def _end(self, alias: str, spelling: str) -> str | None:
        """Follow an alias to its role."""
        path, at = [spelling], alias
        while at in self.aliases:
            name = self.aliases[at][0]
            path.append(name)
            at = folded(name)
            if at == alias or len(path) > len(self.aliases) + 1:
                if alias in self.circular:
                    return None
                self.circular.update(map(folded, path))
                self._fault(spelling, f"is a circular alias: {' → '.join(path)}; let one of them be a role")
                return None
        if at not in self.roles:
            if not self.faults:
                known = (role.name for role in self.roles.values())
                self._fault(spelling, f"stands for {quoted(path[-1])}, which is no role{did_you_mean(path[-1], known)}")
            return None
        return at


def _is_voice(value: str) -> bool:
    return any(model.voice_named(value) for model in MODELS.values())


def _alias(value: str | Mapping[str, Any]) -> Mapping[str, Any]:
    return {"alias_of": value} if isinstance(value, str) else value


def _read(name: str, value: Mapping[str, Any]) -> RoleIn | list[Fault]:
    try:
        return RoleIn.model_validate(dict(value))
    except ValidationError as error:
        found = faults_of(error, known=RoleIn.model_fields)
        return [fault.model_copy(update={"field": f"{name}.{fault.field}"}) for fault in found]


@dataclass(frozen=True, slots=True)
class Assigned:
    """A script whose every turn has a role."""

    script: Script
    roles: Mapping[str, Role]
    """By folded names of speakers; narration's is the empty one."""
    silent: tuple[Turn, ...] = ()
    """What is not spoken, because the cast has no narrator."""

    def role(self, turn: Turn) -> Role:
        return self.roles[folded(turn.speaker)]


def assign(script: Script, cast: Cast, source: str) -> Assigned:
    """Give every speaker a role. Raises InvalidInputError: one error names all speakers without one."""
    roles: dict[str, Role] = {}
    unknown: dict[str, Turn] = {}
    silent: list[Turn] = []
    for turn in script.turns():
        key = folded(turn.speaker)
        role = cast.of(turn.speaker)
        if role is not None:
            roles[key] = role
        elif turn.is_silent_alone:
            silent.append(turn)
        else:
            unknown.setdefault(key, turn)
    if unknown:
        raise InvalidInputError(source, [Fault(field="cast", message=_unknown(unknown.values(), cast))])
    if not roles:
        raise InvalidInputError(source, [Fault(message="has no dialogue; add a role narrator to speak its text")])
    kept = replace(script, scenes=tuple(_without(script, silent)))
    return Assigned(kept, roles, tuple(silent))


def _without(script: Script, silent: Iterable[Turn]) -> Iterator[Any]:
    left_out = {id(turn) for turn in silent}
    for scene in script.scenes:
        if turns := tuple(turn for turn in scene.turns if id(turn) not in left_out):
            yield replace(scene, turns=turns)


def _unknown(turns: Iterable[Turn], cast: Cast) -> str:
    names = list(dict.fromkeys(role.name for role in cast.roles.values()))
    shown = [_described(turn, names) for turn in turns]
    more = f" and {len(shown) - SHOWN_UNKNOWN:,} more" if len(shown) > SHOWN_UNKNOWN else ""
    return f"has no role for {', '.join(shown[:SHOWN_UNKNOWN])}{more}; add them, or aliases (`ttsq cast suggest`)"


def _described(turn: Turn, names: list[str]) -> str:
    if not turn.speaker:
        return f"narration (line {turn.line}: add a role {NARRATOR})"
    hint = closest(turn.speaker, names)
    return f"{quoted(turn.speaker)} (line {turn.line}{f', did you mean {quoted(hint)}?' if hint else ''})"
