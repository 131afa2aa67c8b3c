"""Makes data/trees.conllu and data/trees.dm.sdp: sentences from a small grammar, with their trees and graphs.

``python tests/constructed.py`` writes both files. Every rule of the grammar builds the words of a phrase, the
edges of its tree (after Universal Dependencies, version 2) and those of its graph (in the manner of DM) at
once. Words are dealt from decks, so that the same sentences come out everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parents[1] / "data"
ROUNDS = 9

PEOPLE = (
    "farmer teacher nurse painter soldier baker sailor judge student child/children doctor neighbor "
    "thief/thieves singer driver lawyer gardener"
)
ANIMALS = "dog cat horse fox/foxes wolf/wolves goat"
THINGS = (
    "letter lamp book key map chair coat clock basket box/boxes bicycle painting ring umbrella drum mirror "
    "knife/knives blanket suitcase"
)
PLACES = "garden village harbor kitchen market station forest school castle office orchard"
STUFF = "silver oak paper glass iron"
NAMES = "Anna Boris Clara David Emma Felix Greta"
OF_PEOPLE = "old young tired proud quiet clever famous"
OF_THINGS = "red broken small heavy expensive strange beautiful old"
MANNER = "quietly slowly carefully quickly calmly secretly"
TIME = "yesterday again twice today"
COMMENTS = "suddenly finally fortunately sometimes"
RELATIVES = "brother sister uncle cousin"
NUMBERS = "two three four five"
PREPOSITIONS = "in near behind outside"
CONJUNCTIONS = "when because although before after"

# base past participle gerund
REST = (
    "sleep slept slept sleeping, wait waited waited waiting, laugh laughed laughed laughing, "
    "sing sang sung singing, leave left left leaving, work worked worked working, "
    "dance danced danced dancing, arrive arrived arrived arriving, smile smiled smiled smiling"
)
ROAM = (
    "run ran run running, sleep slept slept sleeping, growl growled growled growling, "
    "wander wandered wandered wandering, return returned returned returning"
)
END = (
    "vanish vanished vanished vanishing, burn burned burned burning, break broke broken breaking, "
    "fall fell fallen falling"
)
HANDLE = (
    "carry carried carried carrying, sell sold sold selling, hide hid hidden hiding, lose lost lost losing, "
    "find found found finding, buy bought bought buying, steal stole stolen stealing, "
    "borrow borrowed borrowed borrowing, clean cleaned cleaned cleaning, draw drew drawn drawing, "
    "repair repaired repaired repairing"
)
MEET = (
    "greet greeted greeted greeting, help helped helped helping, thank thanked thanked thanking, "
    "follow followed followed following, call called called calling, warn warned warned warning, "
    "admire admired admired admiring, visit visited visited visiting"
)
INTEND = (
    "want wanted wanted wanting, try tried tried trying, refuse refused refused refusing, "
    "hope hoped hoped hoping, decide decided decided deciding, plan planned planned planning, "
    "forget forgot forgotten forgetting"
)
SEEM = "seem seemed seemed seeming, appear appeared appeared appearing, happen happened happened happening"
URGE = (
    "persuade persuaded persuaded persuading, ask asked asked asking, tell told told telling, "
    "force forced forced forcing, order ordered ordered ordering"
)
THINK = (
    "believe believed believed believing, say said said saying, know knew known knowing, "
    "think thought thought thinking, notice noticed noticed noticing, hear heard heard hearing"
)
GIVE = (
    "give gave given giving, send sent sent sending, show showed shown showing, "
    "offer offered offered offering, lend lent lent lending"
)
RELY = (
    "rely relied relied relying on, wait waited waited waiting for, look looked looked looking at, "
    "listen listened listened listening to, point pointed pointed pointing at"
)
THROW = (
    "throw threw thrown throwing away, pick picked picked picking up, put put put putting down, "
    "give gave given giving back, take took taken taking out"
)


@dataclass(eq=False)
class Token:
    """A word with its place in the tree, and what it is a predicate of in the graph."""

    form: str
    lemma: str
    upos: str
    xpos: str
    head: Token | None = None
    relation: str = "root"
    arguments: list[tuple[str, Token]] = field(default_factory=list)

    def under(self, head: Token, relation: str) -> Token:
        self.head, self.relation = head, relation
        return self

    def of(self, label: str, argument: Token) -> None:
        self.arguments.append((label, argument))


class Phrase(NamedTuple):
    """Words in order, the one that all others hang on, and the predicate of the clause (else the same)."""

    tokens: list[Token]
    head: Token
    plural: bool = False
    top: Token | None = None


class Verb(NamedTuple):
    base: str
    past: str
    participle: str
    gerund: str
    particle: str = ""

    def token(self, xpos: str) -> Token:
        form = {"VB": self.base, "VBD": self.past, "VBN": self.participle, "VBG": self.gerund}[xpos]
        return Token(form, self.base, "VERB", xpos)


class Deck:
    """Deals its cards in turn, for ever."""

    def __init__(self, cards: Sequence[object]) -> None:
        self._cards = cycle(cards)

    def deal(self):
        return next(self._cards)


class Decks:
    """All there is to deal."""

    def __init__(self) -> None:
        def words(text: str) -> Deck:
            return Deck(text.split())

        def verbs(text: str) -> Deck:
            return Deck([Verb(*forms.split()) for forms in text.split(", ")])

        self.people, self.animals, self.things = words(PEOPLE), words(ANIMALS), words(THINGS)
        self.places, self.stuff, self.names = words(PLACES), words(STUFF), words(NAMES)
        self.of_people, self.of_things = words(OF_PEOPLE), words(OF_THINGS)
        self.manner, self.time, self.comments = words(MANNER), words(TIME), words(COMMENTS)
        self.relatives, self.numbers = words(RELATIVES), words(NUMBERS)
        self.prepositions, self.conjunctions = words(PREPOSITIONS), words(CONJUNCTIONS)
        self.rest, self.roam, self.end = verbs(REST), verbs(ROAM), verbs(END)
        self.handle, self.meet = verbs(HANDLE), verbs(MEET)
        self.intend, self.seem, self.urge, self.think = verbs(INTEND), verbs(SEEM), verbs(URGE), verbs(THINK)
        self.give, self.rely, self.throw = verbs(GIVE), verbs(RELY), verbs(THROW)
        self.subjects = words(
            "the name the-adjective pronoun her plural the number the-adjective a name the-plural"
        )
        self.objects = words("the a the-adjective number her the-plural a-adjective")
        self._choices: dict[str, Deck] = {}
        self.pronouns = Deck([("she", False), ("they", True), ("he", False), ("we", True)])

    def choose(self, name: str, among: Sequence[object]):
        """One after the other, for each that asks by its name."""
        return self._choices.setdefault(name, Deck(among)).deal()


# Noun phrases


def noun(name: str, *, plural: bool = False) -> Token:
    singular, _, irregular = name.partition("/")
    form = (irregular or singular + "s") if plural else singular
    return Token(form, singular, "NOUN", "NNS" if plural else "NN")


def noun_phrase(style: str, name: str, adjective: str, d: Decks) -> Phrase:
    """``the``, ``a``, ``her``, ``number`` or ``plural`` (without an article), perhaps with an adjective."""
    plural = "plural" in style or style == "number"
    head = noun(name, plural=plural)
    tokens = [head]
    if "adjective" in style:
        tokens.insert(0, Token(adjective, adjective, "ADJ", "JJ").under(head, "amod"))
        tokens[0].of("ARG1", head)
    first = tokens[0].form
    if style == "number":
        number = d.numbers.deal()
        tokens.insert(0, Token(number, number, "NUM", "CD").under(head, "nummod"))
        tokens[0].of("ARG1", head)
    elif style == "her":
        owner = Token("her", "she", "PRON", "PRP$").under(head, "nmod:poss")
        head.of("poss", owner)
        tokens.insert(0, owner)
    elif style != "plural":
        article = "the" if style.startswith("the") else "an" if first[0] in "aeiou" else "a"
        determiner = Token(article, "the" if article == "the" else "a", "DET", "DT").under(head, "det")
        determiner.of("BV", head)
        tokens.insert(0, determiner)
    return Phrase(tokens, head, plural)


def person(d: Decks, style: str | None = None) -> Phrase:
    style = style or d.subjects.deal()
    if style == "name":
        name = d.names.deal()
        token = Token(name, name, "PROPN", "NNP")
        return Phrase([token], token)
    if style == "pronoun":
        pronoun, plural = d.pronouns.deal()
        token = Token(pronoun, pronoun, "PRON", "PRP")
        return Phrase([token], token, plural)
    name = d.relatives.deal() if style == "her" else d.people.deal()
    return noun_phrase(style, name, d.of_people.deal() if "adjective" in style else "", d)


def somebody(d: Decks) -> Phrase:
    """A person after a verb, and so no pronoun."""
    return person(d, d.objects.deal())


def thing(d: Decks, style: str | None = None) -> Phrase:
    style = style or d.objects.deal()
    return noun_phrase(style, d.things.deal(), d.of_things.deal() if "adjective" in style else "", d)


def with_place(phrase: Phrase, d: Decks, relation: str) -> Phrase:
    """A phrase and where it is; the preposition joins the two in the graph."""
    place = noun_phrase("the", d.places.deal(), "", d)
    form = d.prepositions.deal()
    preposition = Token(form, form, "ADP", "IN").under(place.head, "case")
    place.head.under(phrase.head, relation)
    preposition.of("ARG1", phrase.top or phrase.head)
    preposition.of("ARG2", place.head)
    return phrase._replace(tokens=[*phrase.tokens, preposition, *place.tokens])


# Clauses


def auxiliary(form: str, lemma: str, xpos: str, verb: Token, relation: str = "aux") -> Token:
    return Token(form, lemma, "AUX", xpos).under(verb, relation)


def was(subject: Phrase, verb: Token, relation: str) -> Token:
    return auxiliary("were" if subject.plural else "was", "be", "VBD", verb, relation)


def has(subject: Phrase, verb: Token) -> Token:
    form, xpos = ("have", "VBP") if subject.plural else ("has", "VBZ")
    return auxiliary(form, "have", xpos, verb)


def to(verb: Token) -> Token:
    return Token("to", "to", "PART", "TO").under(verb, "mark")


def clause(subject: Phrase, before: Sequence[Token], verb: Token, after: Sequence[Token] = ()) -> Phrase:
    """A clause whose subject is the first argument of its verb."""
    subject.head.under(verb, "nsubj")
    verb.of("ARG1", subject.head)
    return Phrase([*subject.tokens, *before, verb, *after], verb)


def with_object(verb: Token, phrase: Phrase) -> list[Token]:
    phrase.head.under(verb, "obj")
    verb.of("ARG2", phrase.head)
    return phrase.tokens


def with_adverb(phrase: Phrase, form: str) -> Phrase:
    """A clause with an adverb at its end."""
    adverb = Token(form, form, "ADV", "RB").under(phrase.head, "advmod")
    adverb.of("ARG1", phrase.head)
    return phrase._replace(tokens=[*phrase.tokens, adverb])


def simple(d: Decks, subject: Phrase | None = None, xpos: str = "VBD") -> Phrase:
    """Somebody does something, in one of three ways."""
    subject = subject or person(d)
    kind = d.choose("simple", range(3))
    if kind == 0:
        return clause(subject, [], d.rest.deal().token(xpos))
    verb = (d.handle if kind == 1 else d.meet).deal().token(xpos)
    return clause(subject, [], verb, with_object(verb, thing(d) if kind == 1 else somebody(d)))


def infinitive(d: Decks, subject: Token) -> Phrase:
    """``to`` and a verb, whose first argument stands elsewhere."""
    if d.choose("infinitive", (False, True)):
        verb = d.handle.deal().token("VB")
        after = with_object(verb, thing(d))
    else:
        verb, after = d.rest.deal().token("VB"), []
    verb.of("ARG1", subject)
    return Phrase([to(verb), verb, *after], verb)


# Constructions, each a sentence without its full stop


def rests(d: Decks) -> Phrase:
    return with_adverb(clause(person(d), [], d.rest.deal().token("VBD")), d.manner.deal())


def handles(d: Decks) -> Phrase:
    verb = d.handle.deal().token("VBD")
    return with_adverb(clause(person(d), [], verb, with_object(verb, thing(d))), d.time.deal())


def handles_somewhere(d: Decks) -> Phrase:
    verb = d.handle.deal().token("VBD")
    return with_place(clause(person(d), [], verb, with_object(verb, thing(d))), d, "obl")


def from_somewhere(d: Decks) -> Phrase:
    subject = with_place(person(d, "the"), d, "nmod")
    verb = d.meet.deal().token("VBD")
    return clause(subject, [], verb, with_object(verb, somebody(d)))


def is_handled_by(d: Decks) -> Phrase:
    """The subject is the second argument; the agent, which hangs on "by" in no graph, the first."""
    subject, agent = thing(d), person(d, "the")
    verb = d.handle.deal().token("VBN")
    subject.head.under(verb, "nsubj:pass")
    agent.head.under(verb, "obl:agent")
    verb.of("ARG2", subject.head)
    verb.of("ARG1", agent.head)
    by = Token("by", "by", "ADP", "IN").under(agent.head, "case")
    return Phrase([*subject.tokens, was(subject, verb, "aux:pass"), verb, by, *agent.tokens], verb)


def has_been_handled(d: Decks) -> Phrase:
    subject = thing(d)
    verb = d.handle.deal().token("VBN")
    subject.head.under(verb, "nsubj:pass")
    verb.of("ARG2", subject.head)
    been = auxiliary("been", "be", "VBN", verb, "aux:pass")
    form = d.manner.deal()
    adverb = Token(form, form, "ADV", "RB").under(verb, "advmod")
    adverb.of("ARG1", verb)
    return Phrase([*subject.tokens, has(subject, verb), been, adverb, verb], verb)


def intends(d: Decks) -> Phrase:
    """The subject is shared by both verbs, and hangs on the first."""
    subject = person(d)
    verb = d.intend.deal().token("VBD")
    does = infinitive(d, subject.head)
    does.head.under(verb, "xcomp")
    verb.of("ARG2", does.head)
    return clause(subject, [], verb, does.tokens)


def seems(d: Decks) -> Phrase:
    """The subject hangs on a verb whose argument it is not."""
    subject = person(d)
    verb = d.seem.deal().token("VBD")
    does = infinitive(d, subject.head)
    does.head.under(verb, "xcomp")
    subject.head.under(verb, "nsubj")
    verb.of("ARG1", does.head)
    return Phrase([*subject.tokens, verb, *does.tokens], verb)


def urges(d: Decks) -> Phrase:
    """The object is shared by both verbs."""
    subject, other = person(d), somebody(d)
    verb = d.urge.deal().token("VBD")
    after = with_object(verb, other)
    does = infinitive(d, other.head)
    does.head.under(verb, "xcomp")
    verb.of("ARG3", does.head)
    return clause(subject, [], verb, [*after, *does.tokens])


def relative(head: Phrase, inner: list[Token], verb: Token) -> Phrase:
    verb.under(head.head, "acl:relcl")
    return head._replace(tokens=[*head.tokens, *inner])


def who_handles(d: Decks) -> Phrase:
    subject = person(d, d.choose("who", ("the", "the-plural", "a")))
    verb = d.handle.deal().token("VBD")
    who = Token("who", "who", "PRON", "WP").under(verb, "nsubj")
    verb.of("ARG1", subject.head)
    subject = relative(subject, [who, verb, *with_object(verb, thing(d))], verb)
    return clause(subject, [], d.rest.deal().token("VBD"))


def that_is_handled(d: Decks) -> Phrase:
    subject, agent = thing(d, d.choose("that", ("the", "the-plural", "a"))), person(d)
    verb = d.handle.deal().token("VBD")
    that = Token("that", "that", "PRON", "WDT").under(verb, "obj")
    inner = clause(agent, [], verb)
    verb.of("ARG2", subject.head)
    subject = relative(subject, [that, *inner.tokens], verb)
    return clause(subject, [], d.end.deal().token("VBD"))


def handled_by(d: Decks) -> Phrase:
    subject, agent = thing(d, d.choose("handled", ("the", "the-plural"))), person(d, "the")
    verb = d.handle.deal().token("VBN").under(subject.head, "acl")
    agent.head.under(verb, "obl:agent")
    verb.of("ARG2", subject.head)
    verb.of("ARG1", agent.head)
    by = Token("by", "by", "ADP", "IN").under(agent.head, "case")
    subject = subject._replace(tokens=[*subject.tokens, verb, by, *agent.tokens])
    return clause(subject, [], d.end.deal().token("VBD"))


def joined(first: Token, second: Token) -> Token:
    """The ``and`` between two words: in the graph, an edge from the one to the other."""
    second.under(first, "conj")
    first.of("_and_c", second)
    return Token("and", "and", "CCONJ", "CC").under(second, "cc")


def handles_and_meets(d: Decks) -> Phrase:
    """The subject hangs on the first verb, and is an argument of both."""
    subject = person(d)
    verb, other = d.handle.deal().token("VBD"), d.meet.deal().token("VBD")
    first = clause(subject, [], verb, with_object(verb, thing(d)))
    other.of("ARG1", subject.head)
    second = with_object(other, somebody(d))
    return first._replace(tokens=[*first.tokens, joined(verb, other), other, *second])


def both_meet(d: Decks) -> Phrase:
    one, other = person(d, "the"), person(d, "the")
    conjunction = joined(one.head, other.head)
    subject = Phrase([*one.tokens, conjunction, *other.tokens], one.head, plural=True)
    verb = d.meet.deal().token("VBD")
    return clause(subject, [], verb, with_object(verb, somebody(d)))


def gives(d: Decks) -> Phrase:
    subject, other = person(d), somebody(d)
    verb = d.give.deal().token("VBD")
    given = with_object(verb, thing(d))
    other.head.under(verb, "iobj")
    verb.of("ARG3", other.head)
    return clause(subject, [], verb, [*other.tokens, *given])


def relies(d: Decks) -> Phrase:
    """The preposition belongs to the verb, and has no edge in the graph."""
    subject, other = person(d), d.choose("relies", (thing, somebody))(d)
    chosen = d.rely.deal()
    verb = chosen.token("VBD")
    other.head.under(verb, "obl")
    verb.of("ARG2", other.head)
    preposition = Token(chosen.particle, chosen.particle, "ADP", "IN").under(other.head, "case")
    return clause(subject, [], verb, [preposition, *other.tokens])


def throws_away(d: Decks) -> Phrase:
    chosen = d.throw.deal()
    verb = chosen.token("VBD")
    particle = Token(chosen.particle, chosen.particle, "ADP", "RP").under(verb, "compound:prt")
    return clause(person(d), [], verb, [particle, *with_object(verb, thing(d))])


def thinks(d: Decks) -> Phrase:
    inner = d.choose("thinks", (simple, intends, is_handled_by, who_handles, seems))(d)
    verb = d.think.deal().token("VBD")
    inner.head.under(verb, "ccomp")
    verb.of("ARG2", inner.head)
    that = Token("that", "that", "SCONJ", "IN").under(inner.head, "mark")
    return clause(person(d), [], verb, [that, *inner.tokens])


def subordinate(d: Decks, main: Phrase) -> list[Token]:
    inner = clause(noun_phrase("the", d.animals.deal(), "", d), [], d.roam.deal().token("VBD"))
    form = d.conjunctions.deal()
    conjunction = Token(form, form, "SCONJ", "WRB" if form == "when" else "IN").under(inner.head, "mark")
    inner.head.under(main.head, "advcl")
    conjunction.of("ARG1", main.head)
    conjunction.of("ARG2", inner.head)
    return [conjunction, *inner.tokens]


def rests_when(d: Decks) -> Phrase:
    main = d.choose("when", (urges, is_handled_by, simple, both_meet, that_is_handled))(d)
    return main._replace(tokens=[*main.tokens, *subordinate(d, main)])


def when_rests(d: Decks) -> Phrase:
    main = simple(d)
    before = subordinate(d, main)
    inner = before[-1]
    comma = Token(",", ",", "PUNCT", ",").under(inner, "punct")
    return main._replace(tokens=[*before, comma, *main.tokens])


def is_strange(d: Decks) -> Phrase:
    """The adjective is the predicate; the copula has no edge in the graph."""
    subject = thing(d, d.choose("strange", ("the", "her", "number", "the-plural")))
    form = d.of_things.deal()
    adjective = Token(form, form, "ADJ", "JJ")
    sentence = clause(subject, [was(subject, adjective, "cop")], adjective)
    return with_place(sentence, d, "obl") if d.choose("strange place", (False, True)) else sentence


def is_a_teacher(d: Decks) -> Phrase:
    """The noun is the head of the tree, the copula the predicate of the graph."""
    subject = person(d, d.choose("teacher", ("name", "her", "pronoun")))
    if subject.plural:
        subject = person(d, "name")
    other = person(d, "a-adjective")
    copula = was(subject, other.head, "cop")
    subject.head.under(other.head, "nsubj")
    copula.of("ARG1", subject.head)
    copula.of("ARG2", other.head)
    return Phrase([*subject.tokens, copula, *other.tokens], other.head, top=copula)


def does_not(d: Decks) -> Phrase:
    sentence = simple(d, xpos="VB")
    verb = sentence.head
    modal = d.choose("not", (False, True))
    helper = auxiliary("will", "will", "MD", verb) if modal else auxiliary("did", "do", "VBD", verb)
    negation = Token("not", "not", "PART", "RB").under(verb, "advmod")
    negation.of("neg", verb)
    at = sentence.tokens.index(verb)
    return sentence._replace(tokens=[*sentence.tokens[:at], helper, negation, *sentence.tokens[at:]])


def was_doing(d: Decks) -> Phrase:
    subject = person(d)
    sentence = simple(d, subject, "VBG")
    at = sentence.tokens.index(sentence.head)
    helper = was(subject, sentence.head, "aux")
    return sentence._replace(tokens=[*sentence.tokens[:at], helper, *sentence.tokens[at:]])


def there_were(d: Decks) -> Phrase:
    """ "There" has no edge in the graph."""
    found = thing(d, d.choose("there", ("a-adjective", "number")))
    verb = Token("were" if found.plural else "was", "be", "VERB", "VBD")
    there = Token("there", "there", "PRON", "EX").under(verb, "expl")
    found.head.under(verb, "nsubj")
    verb.of("ARG1", found.head)
    return with_place(Phrase([there, verb, *found.tokens], verb), d, "obl")


def of_silver(d: Decks) -> Phrase:
    """Two nouns in one: in the graph, an edge of their own."""
    other = thing(d, d.choose("silver", ("the", "her")))
    stuff = noun(d.stuff.deal()).under(other.head, "compound")
    other.head.of("compound", stuff)
    verb = d.handle.deal().token("VBD")
    after = with_object(verb, other._replace(tokens=[*other.tokens[:-1], stuff, other.head]))
    return clause(person(d), [], verb, after)


def suddenly(d: Decks) -> Phrase:
    sentence = simple(d)
    form = d.comments.deal()
    adverb = Token(form, form, "ADV", "RB").under(sentence.head, "advmod")
    adverb.of("ARG1", sentence.head)
    return sentence._replace(tokens=[adverb, *sentence.tokens])


CONSTRUCTIONS: tuple[Callable[[Decks], Phrase], ...] = (
    *(rests, handles, handles_somewhere, from_somewhere, is_handled_by, has_been_handled, intends, seems),
    *(urges, who_handles, that_is_handled, handled_by, handles_and_meets, both_meet, gives, relies),
    *(throws_away, thinks, rests_when, when_rests, is_strange, is_a_teacher, does_not, was_doing),
    *(there_were, of_silver, suddenly),
)


def sentences() -> Iterator[tuple[list[Token], Token]]:
    """The words of every sentence, in order, and the top of its graph."""
    d = Decks()
    for _ in range(ROUNDS):
        for construction in CONSTRUCTIONS:
            phrase = construction(d)
            stop = Token(".", ".", "PUNCT", ".").under(phrase.head, "punct")
            first = phrase.tokens[0]
            first.form = first.form[0].upper() + first.form[1:]
            yield [*phrase.tokens, stop], phrase.top or phrase.head


def conllu() -> str:
    blocks = []
    for n, (tokens, _) in enumerate(sentences(), 1):
        text = " ".join(token.form for token in tokens).replace(" ,", ",").replace(" .", ".")
        lines = [f"# sent_id = trees-{n:03}", f"# text = {text}"]
        for k, token in enumerate(tokens, 1):
            head = 0 if token.head is None else tokens.index(token.head) + 1
            glued = k < len(tokens) and tokens[k].upos == "PUNCT"
            columns = (k, token.form, token.lemma, token.upos, token.xpos, "_", head, token.relation, "_")
            lines.append("\t".join(map(str, (*columns, "SpaceAfter=No" if glued else "_"))))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def sdp() -> str:
    blocks = ["#SDP 2015\n"]
    for n, (tokens, top) in enumerate(sentences(), 1):
        predicates = [token for token in tokens if token.arguments]
        lines = [f"#2{n:07}"]
        for k, token in enumerate(tokens, 1):
            labels = [next((label for label, of in p.arguments if of is token), "_") for p in predicates]
            signs = ("+" if token is top else "-", "+" if token.arguments else "-")
            lines.append("\t".join([str(k), token.form, token.lemma, token.xpos, *signs, "_", *labels]))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


if __name__ == "__main__":
    (DATA / "trees.conllu").write_text(conllu(), encoding="utf-8", newline="")
    (DATA / "trees.dm.sdp").write_text(sdp(), encoding="utf-8", newline="")
