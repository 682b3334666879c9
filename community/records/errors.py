"""Refusals of the records room."""

from community.errors import (
    AlreadyExists,
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    Unavailable,
    WrongState,
)


class ConsentNotFound(NotFound):
    code = "record-consent-not-found"
    title = "No such consent"


class RecordNotFound(NotFound):
    code = "credit-record-not-found"
    title = "No such credit record"


class RecordRevoked(WrongState):
    code = "credit-record-revoked"
    title = "The record is revoked already"


class RecordKeyNotFound(NotFound):
    code = "record-key-not-found"
    title = "No such signing key"


class ConsentIsYourOwn(NotAllowed):
    """Only a member consents, or withdraws, for themself; nobody does it for them."""

    code = "consent-is-your-own"
    title = "Only the member consents"


class ConsentTooLong(Invalid):
    """The charter says for how long a consent may be given."""

    code = "record-consent-term"
    title = "The consent's term does not fit the charter"


class ConsentNotLive(WrongState):
    """A record is issued under a live consent only: the member may give a new one."""

    code = "record-consent-not-live"
    title = "The consent is not live"


class SigningKeyMissing(Unavailable):
    """The operator sets RECORD_KEY_FILE or RECORD_KEY; until then nothing is signed."""

    code = "record-key-missing"
    title = "The platform has no key to sign records with"


class SigningKeyRetired(Unavailable):
    """Another key has taken its place, or it was revoked: the operator configures the present one.

    A retired key signs nothing more, so that its days stay what they are published as.
    """

    code = "record-key-retired"
    title = "The configured key signs no more"


class KeySetInvalid(Invalid):
    """Keys are given as they are published: a JWK set of Ed25519 keys with their fingerprints."""

    code = "record-keys-invalid"
    title = "The keys cannot be read"


class RecordRefused(Invalid):
    """The record does not hold; `failures` names everything that fails."""

    code = "credit-record-refused"
    title = "The credit record does not hold"


class IssuerNotAccepted(Conflict):
    """The charter (`record_issuers`) lists whose records count here."""

    code = "record-issuer-not-accepted"
    title = "The charter accepts no records of this issuer"


class RecordTooOld(Conflict):
    """The charter says how old a record may be: ask the member for a new one."""

    code = "credit-record-too-old"
    title = "The record is older than the charter admits"


class RecordOfSomebodyElse(Conflict):
    """A record counts for the member that it is about, and for nobody else."""

    code = "credit-record-of-somebody-else"
    title = "The record is about somebody else"


class RecordNotForThis(Conflict):
    """The member consented to other purposes or fields: ask for a record with those named here."""

    code = "credit-record-not-for-this"
    title = "The record does not serve this purpose"


class RecordShowsArrears(Conflict):
    """Who is late there gets no standing here: first the arrears are paid, then a new record."""

    code = "credit-record-shows-arrears"
    title = "The record shows arrears"


class RecordUsedAlready(AlreadyExists):
    """A record gives standing once."""

    code = "credit-record-used"
    title = "The record was taken already"


class StandingGrantedAlready(Conflict):
    """An own assessment goes before somebody else's: end it first to take the record."""

    code = "standing-granted-already"
    title = "The community has assessed the member itself"
