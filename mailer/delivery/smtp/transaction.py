"""One message's way through the dialogue: what is written together, what each reply means.

    lockstep    MAIL | RCPT | DATA | body                  a reply is waited for at each |
    pipelined   RSET MAIL RCPT DATA | body, and at once the next message's RSET MAIL RCPT DATA
    chunked     RSET MAIL RCPT BDAT body, and the same of the next, and the next

Nothing here reads or writes; what was refused is known only once the last reply has come, since
a server that refuses a recipient and then takes the message is out of step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from mailer.delivery.dialects import SMTP, Dialect
from mailer.delivery.model import Message, Phase
from mailer.delivery.smtp.commands import Capabilities, by_bdat, by_data, mail_from, rcpt_to
from mailer.delivery.smtp.reply import Reply
from mailer.delivery.smtp.verdict import Handed, accepted, cut_off, out_of_step, refused
from subscribers.reason import Reason


class Way(StrEnum):
    """How much is written before a reply is waited for."""

    #: One command.
    LOCKSTEP = "lockstep"
    #: MAIL, RCPT and DATA together, behind the body of the message before (RFC 2920).
    PIPELINED = "pipelined"
    #: Whole messages, several of them (RFC 3030).
    CHUNKED = "chunked"

    @classmethod
    def offered(cls, offered: Capabilities) -> Way:
        """The fastest way that a server offers."""
        if not offered.pipelining:
            return cls.LOCKSTEP
        return cls.CHUNKED if offered.chunking else cls.PIPELINED

    @property
    def simpler(self) -> Way:
        """The next way to try where this one fails."""
        return Way.PIPELINED if self is Way.CHUNKED else Way.LOCKSTEP


class Step(StrEnum):
    """What a reply answers."""

    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    #: The body with its final dot, or BDAT with the body.
    CONTENT = "content"
    #: The dot alone, where DATA got 354 though the recipient was refused.
    LONE_DOT = "lone dot"
    QUIT = "QUIT"


#: What is written together; the next group waits for the last reply of the one before.
GROUPS: dict[Way, tuple[tuple[Step, ...], ...]] = {
    Way.LOCKSTEP: ((Step.RSET,), (Step.MAIL,), (Step.RCPT,), (Step.DATA,), (Step.CONTENT,)),
    Way.PIPELINED: ((Step.RSET, Step.MAIL, Step.RCPT, Step.DATA), (Step.CONTENT,)),
    Way.CHUNKED: ((Step.RSET, Step.MAIL, Step.RCPT, Step.CONTENT),),
}
_WITHOUT_RSET = {
    way: tuple(kept for group in groups if (kept := tuple(s for s in group if s != Step.RSET)))
    for way, groups in GROUPS.items()
}
_ON_THE_WAY = frozenset({Step.RSET, Step.MAIL, Step.RCPT})
_PHASES = {
    Step.RSET: Phase.MAIL,
    Step.MAIL: Phase.MAIL,
    Step.RCPT: Phase.RCPT,
    Step.DATA: Phase.DATA,
    Step.CONTENT: Phase.BODY,
    Step.LONE_DOT: Phase.DATA,
}
#: A server that offers BDAT and does not know it, or its parameters: nothing about the message.
_NOT_UNDERSTOOD = frozenset({500, 501, 502, 503, 504})


class Transaction:
    """A message on its way; `landed` is told once how it ended."""

    __slots__ = (
        "_ascii_only",
        "_dialect",
        "_groups",
        "_offered",
        "_refusal",
        "_way",
        "end",
        "landed",
        "message",
    )

    def __init__(
        self,
        message: Message,
        landed: Callable[[Handed], None],
        *,
        way: Way,
        offered: Capabilities,
        reset: bool,
        ascii_only: bool,
        dialect: Dialect = SMTP,
    ) -> None:
        self._dialect = dialect
        self.message, self.landed, self._ascii_only = message, landed, ascii_only
        self._way, self._offered = way, offered
        self._groups = iter((GROUPS if reset else _WITHOUT_RSET)[way])
        self._refusal: Handed | None = None
        #: Where its last byte stands in what was written; None: it is not written yet.
        self.end: int | None = None

    def next_group(self) -> tuple[Step, ...]:
        """What is to be written now."""
        return next(self._groups)

    def words(self, group: Sequence[Step]) -> list[bytes]:
        """The bytes of a group, in parts."""
        commands = b"".join([self._command(step) for step in group if step is not Step.CONTENT])
        if group[-1] is not Step.CONTENT:
            return [commands]
        if self._way is not Way.CHUNKED:
            return [*by_data(self.message)]
        bdat, content = by_bdat(self.message)
        return [commands + bdat, content]

    def _command(self, step: Step) -> bytes:
        if step is Step.MAIL:
            return mail_from(self.message, self._offered, ascii_only=self._ascii_only)
        return rcpt_to(self.message) if step is Step.RCPT else _FIXED[step]

    def goes_on(self, step: Step, reply: Reply) -> bool:
        """Whether a reply is just what it waited for, and not the last: the common case."""
        return reply.code == 250 and step in _ON_THE_WAY and self._refusal is None

    def hear(self, step: Step, reply: Reply, *, left: bool) -> Handed | None:
        """Judge a reply; None where the message goes on. `left`: its last byte may have left."""
        if reply.code == 421:
            # It closes the connection wherever it comes (RFC 5321 3.8).
            return self._refused_before or self._refused(self._phase(step, left), reply)
        if step is Step.CONTENT:
            return self._hear_of_content(reply, left)
        if step is Step.DATA:
            return self._hear_of_data(reply)
        if step is Step.LONE_DOT:
            return self._refusal
        # Behind a refused MAIL no RCPT can be taken.
        if reply.code // 100 == 2 and self._refusal is None:
            return None
        if reply.code >= 400 and step is not Step.RSET:
            return self._refuse(step, reply)
        return out_of_step(_PHASES[step], reply, may_have_left=left)

    def _refuse(self, step: Step, reply: Reply) -> Handed | None:
        """Keep the first refusal until the last reply; in lockstep it is the last."""
        self._refusal = self._refusal or self._refused(_PHASES[step], reply)
        return self._refusal if self._way is Way.LOCKSTEP else None

    def _hear_of_data(self, reply: Reply) -> Handed | None:
        if reply.code >= 400:
            return self._refusal or self._refused(Phase.DATA, reply)
        if reply.code // 100 == 3:
            if self._refusal is not None:
                self._groups = iter(((Step.LONE_DOT,),))
            return None
        return out_of_step(Phase.DATA, reply, may_have_left=False)

    def _hear_of_content(self, reply: Reply, left: bool) -> Handed:
        phase = self._phase(Step.CONTENT, left)
        if reply.code >= 400:
            if self._refusal is not None:
                return self._refusal
            if self._way is Way.CHUNKED:
                return self._refused(phase, reply, ours=_NOT_UNDERSTOOD)
            # Behind a body that is still being written nothing can follow but more of it.
            return self._refused(phase, reply, reusable=left)
        if not left or reply.code // 100 != 2 or self._refusal or _speaks_of_address(reply):
            return out_of_step(phase, reply, may_have_left=left)
        return accepted(reply, self._dialect)

    def cut_off(self, step: Step, trouble: str, *, goodbye: Reply | None, left: bool) -> Handed:
        """Judge an end before the reply to `step`, the next that it waited for.

        Behind a goodbye the server has read nothing; else what may have left is unknown.
        """
        phase = self._phase(step, left)
        if (before := self._refused_before) is not None and before.reason is not Reason.PROTOCOL:
            return before
        if goodbye is not None:
            return self._refused(phase, goodbye)
        return cut_off(phase, trouble, may_have_left=left)

    def _refused(
        self,
        phase: Phase,
        reply: Reply,
        *,
        reusable: bool = True,
        ours: frozenset[int] = frozenset(),
    ) -> Handed:
        return refused(
            self.message, phase, reply, reusable=reusable, ours=ours, dialect=self._dialect
        )

    @property
    def _refused_before(self) -> Handed | None:
        """The refusal that stands when the connection ends."""
        return replace(self._refusal, reusable=False) if self._refusal is not None else None

    def _phase(self, step: Step, left: bool) -> Phase:
        return Phase.REPLY if left else _PHASES[step]


_FIXED = {Step.RSET: b"RSET\r\n", Step.DATA: b"DATA\r\n", Step.LONE_DOT: b".\r\n"}


def _speaks_of_address(reply: Reply) -> bool:
    # X.1.X is about an address (RFC 3463 3.2): the reply to MAIL or RCPT, one too late or early.
    return reply.enhanced is not None and reply.enhanced.startswith("2.1.")
