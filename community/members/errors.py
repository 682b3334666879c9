"""Refusals of the members room."""

from community.errors import AlreadyExists, CommunityError, Conflict, Invalid, NotFound


class BadToken(CommunityError):
    code = "bad-token"
    title = "The bearer token is missing or unknown"


class TokenExpired(BadToken):
    code = "token-expired"
    title = "The bearer token has expired"


class TokenRevoked(BadToken):
    code = "token-revoked"
    title = "The bearer token was revoked"


class MemberNotFound(NotFound):
    code = "member-not-found"
    title = "No such member"


class HouseholdNotFound(NotFound):
    code = "household-not-found"
    title = "No such household"


class TokenNotFound(NotFound):
    """There is no such token, or it is somebody else's."""

    code = "token-not-found"
    title = "No such token"


class RoleGrantNotFound(NotFound):
    """There is no such grant, or it is somebody else's."""

    code = "role-grant-not-found"
    title = "No such role grant"


class MemberExists(AlreadyExists):
    code = "member-exists"
    title = "A member with this reference exists already"


class BadLifetime(Invalid):
    code = "bad-lifetime"
    title = "A token lives between one hour and the longest time the platform allows"


class HouseholdExists(AlreadyExists):
    """A household's reference stands for one household only."""

    code = "household-exists"
    title = "A household with this reference exists already"


class NotBorn(Invalid):
    """Only persons have a birth year, and it lies in the past."""

    code = "bad-birth-year"
    title = "The birth year cannot be right"


class LastOperator(Conflict):
    """Somebody has to be able to run the platform: name another operator first."""

    code = "last-operator"
    title = "The platform keeps at least one operator"


class UnknownScope(Invalid):
    """Tokens are issued for reading, writing, or both."""

    code = "unknown-scope"
    title = "There is no such scope"


class SignInFailed(Invalid):
    """No such login name, or another password: which of the two is not told."""

    code = "sign-in-failed"
    title = "The name or the password is not right"


class LoginNameTaken(AlreadyExists):
    """Somebody else signs in by this name; choose another."""

    code = "login-name-taken"
    title = "This login name is taken"


class LoginNameInvalid(Invalid):
    """A login name is a telephone number, or 3 to 64 letters, digits, dots, hyphens, `_`, `@`."""

    code = "login-name-invalid"
    title = "This cannot be a login name"


class PasswordTooWeak(Invalid):
    """A password is long enough, is not the login name, and is none that everybody tries."""

    code = "password-too-weak"
    title = "The password is too easy to guess"


class EnrolmentCodeInvalid(Invalid):
    """The code is unknown, was used, or has run out; an officer hands out a new one."""

    code = "enrolment-code-invalid"
    title = "The enrolment code is not valid"


class MemberErased(Conflict):
    """Their personal data was taken out: nothing is entered, changed or given any more."""

    code = "member-erased"
    title = "This member is erased"


class PurposeNotFound(NotFound):
    code = "purpose-not-found"
    title = "No such purpose"


class ConsentMissing(Conflict):
    """What was asked for needs a member's own consent."""

    code = "consent-missing"
    title = "The member has not consented"


class ConsentTextOld(Conflict):
    """Consent is given to the text that is in force."""

    code = "consent-text-old"
    title = "The text of this consent is another one now"
