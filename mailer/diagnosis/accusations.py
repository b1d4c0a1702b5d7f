"""The phrases of servers about an address that is at fault, and what remains after those.

Regular expressions in lower case, each linear, tried from the top. Data alone: `words` compiles
them; the tests tell who says what.
"""

from __future__ import annotations

from subscribers.reason import Reason

# A mailbox switched off is told before one that never was.
ACCUSATIONS: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (
        Reason.DISABLED,
        (
            "(mailbox|account|user|recipient|address)( that you tried to reach)? (is |"
            "has been |has |was )*(currently )?(disabled|inactive|deactivated|suspended|locked|"
            "discontinued|closed|expired)",
            "(mailbox|account|user|recipient|address|domain).{0,90} (is|are|was|been|"
            r"temporar\w+|currently|not)? ?(disabled|inactive|deactivated|suspended|locked|"
            "discontinued|frozen|terminated|cancelled|not active|on hold)",
            "(disabled|inactive|suspended|locked|frozen|deactivated|expired|"
            "closed) (e-?mail |mail)?(recipient|user|account|mailbox|address)",
            "(account|mailbox|user) not active",
            "temporar(y|ily) (locked|disabled|suspended)",
            "user .{0,60}does not (accept|receive) mail",
            "is currently suspended",
            r"suspend\w* the service",
            r"administrativ\w+ disabled",
            "(destinataire|recipient) (archiv[ée]e?|est bloqu[ée])",
            "archived recipient",
        ),
    ),
    (
        Reason.NO_SUCH_DOMAIN,
        (
            "null ?mx",
            "does not accept (any )?(mail|email)(?! from)",
            "host or domain name not found",
            "(domain|host)( name)? (does not exist|not found|unknown)",
            "no such domain",
            "unrouteable mail domain",
            "all relevant mx records point to non-existent hosts",
            "unknown (host|domain)",
            "host unknown",
            "(recipient )?domain must exist",
            "(domain|host) is not reachable",
            "host address lookups failed permanently",
            "(answer with|returned|but) no data",
            "(unable|could ?n[o']t|cannot|can't) (to )?(resolve|find) (the |a )?route",
            "no route for current request",
            "no such host",
            "nxdomain",
            "name or service not known",
            "(host|domain)( name)? [^:]{0,80}(could ?n[o']t be found|not (be )?found|"
            "does ?n[o']t exist|is not known)",
            "could ?n[o']t (find|resolve) (a |any |the )?(mail exchanger|host|domain|mx|address)",
            "(no|none|not any|without|lacks?|missing) (valid |usable )?(mx|mail exchanger|"
            r"dns)( |$|\.|,)",
            "(illegal|invalid|bad|unresolvable|non-?existent) (destination )?(host|domain|"
            "system address)",
            "bad destination (host|system)",
            "indicated no smtp service",
            "does not (accept|receive|support) (any )?(e-?mail|mail|smtp)(?! from)",
            "mx (records? )?.{0,40}(point|resolve)s? to (localhost|nothing|127|non)",
            "domain .{0,60}(is not hosted|not local|expired)",
        ),
    ),
    (
        Reason.NO_SUCH_USER,
        (
            "(user|mailbox|recipient|account|address|email)(e?s)?( address)? (is |are |was |"
            "were |could )*(unknown|not (be )?found|invalid|non-?existent)",
            "(unknown|invalid|no such|non-?existent)[ -](local |virtual )?(user|mailbox|"
            "recipient|account|address|local part)",
            "(user|mailbox|recipient|account|address|email).{0,60}(does ?n[o']t|not) exist",
            "(user|mailbox|recipient).{0,80}doesn't have an? (.{1,40} )?(account|mailbox)",
            "recipient ?not ?found",
            "unrouteable address",
            "not our customer",
            "no mailbox (here|by that name)",
            r"mailbox (is )?unavail?able(?! or access denied)",
            "account (is )?unavailable",
            "recipient address rejected: access denied",
            "destinataire invalide",
            "undeliverable address",
            "not listed in",
            "not in my valid",
            "validrcptto",
            "bad_?(rcpt|recipient)_?to",
            "envelope recipient has been denied",
            "(rejected|refused|ca ?n[o']t accept) (the )?(user|recipient)s?(?! address)",
            "recipient (is )?not (accepted|local|ok)",
            "recipient mailbox is not allowed",
            r"recipn?\w*[ .]?not ?found",
            "no longer accepts? (e-?)?mail",
            "missing home directory",
            "no ?such ?user",
            r"<x@x> not found",
            r"\b55\d (5\.\d\.\d )?\S{1,128} not found",
            r"rcpt \S{1,256} (does ?n[o']t|not) exist",
            "in name directory",
            "mail ?address not administrated",
            "nessun utente",
            "domain or user is ?n[o']t",
            "non existent user",
            "not in (the |our )?(directory|list of (users|recipients))",
            "(invalid|unknown|bad|illegal|undefined|incorrect|nonexistent|non-existent|"
            "unresolvable) (final delivery |virtual |local |destination |recipient |"
            "e-?mail |mail |user ?)*(user|userid|id|mailbox|recipient|account|address(es)?|"
            "alias|local[- ]part|addressee|name(?! server)|mail ?drop|customer|"
            "subscriber)",
            "no such (person|address|mail ?drop|account|mail ?box|name|local|e-?mail|"
            "recipient|alias|customer|subscriber)",
            "(user|mailbox|recipient|account|address|addressee|alias|mail ?box)( name|"
            " id)?('s| is| was| are| were|:)? .{0,80}(not (been )?(found|known|"
            "recogni[sz]ed|valid|registered|defined|listed|present)|unknown|"
            "does ?n[o']?t? exists?|non-?existent|could ?n[o']t be found|wasn't found)",
            "(is not|isn't|not) an? (valid|known|existing|registered|active|"
            "local) (e-?mail |user |mail )?(user|mailbox|recipient|account|address|alias)",
            "no (one|body|user|account|mailbox|recipient|mail ?box)s? (here )?(by|with|of|"
            "under|for|at|called|named) (that|this|the|such)",
            "no (mail ?box|account|user|recipient) (here|found|available|exists|for|on|"
            "matching|named|named)",
            "has no mail ?box",
            "no valid recipients?",
            r"not (exist|exists)( |$|\.|\))",
            "not (a |an |our )?(known|valid|local) (user|recipient|mailbox)",
            "not our (user|customer|subscriber)",
            "(delivery|message).{0,30}user not (exist|known|found)",
            "rejected .{0,40}(user|recipient|mailbox) (unknown|not found)",
            r"rejected \(?(no|unknown) such",
            "recipient .{0,60}(could ?n[o']t be verified|undeliverable|verification failed)",
            r"recipient address rejected\.?( \(in reply to rcpt|$)",
            "(?<!recipient )address rejected(?!:)",
            "(e-?mail|mail|delivery) address .{0,60}(wrong|misspelled|mistyped|incorrect|invalid)",
            # In other languages: unknown, unless what is unknown is the error or its cause.
            "(?<!erreur )(?<!raison )(?<!cause )inconnu",
            "(n'existe pas|introuvable|non répertorié|pas répertorié)",
            r"unbekannt(?!\w* (fehler|grund|ursache|problem))",
            "(existiert nicht|nicht gefunden|nicht bekannt)",
            "nicht (im|in der|in dem) .{0,40}(verzeichnis|adressbuch)",
            "(?<!errore )(?<!motivo )sconosciut",
            "(inesistente|non esiste|non presente in|non elencat)",
            "(?<!error )(?<!motivo )(?<!causa )desconocid",
            "(no existe|inexistente|no (aparece|figura) en)",
            "(?<!erro )(?<!motivo )(?<!causa )desconhecid",
            "(n[ãa]o existe|n[ãa]o encontrad)",
            r"nieznan(?!\w* (bł[ąa]d|pow[óo]d|problem))",
            "(nie istnieje|nie ma takiego)",
            "onbekend(?!e (fout|reden|oorzaak))",
            "(bestaat niet|finns inte|findes ikke|finnes ikke|ei löydy)",
            "(neexistuje|neznám(ý|á) (uživatel|adres|příjemce)|nu există|nem létezik)",
            "(bulunamadı|mevcut değil|tidak ditemukan|không tồn tại)",
            "(δεν υπάρχει|δεν βρέθηκε|לא קיים|לא נמצא|غير موجود)",
            "ไม่พบ",
            "ไม่มีอยู่",
            "не существу",
            "не найден",
            "нет такого",
            "не зарегистр",
            "存在しません",
            "見つかりません",
            "[^因]不明",
            "不存在",
            "查无",
            "找不到",
            "존재하지",
        ),
    ),
    (
        Reason.MOVED,
        (
            "has (been )?moved",
            "no longer (on|at|with|in|here)",
            "no longer (valid|works|available|used)",
            "has been replaced by",
            "has changed (its|his|her|their)",
            "no forwarding",
            "user not local",
            "new (e-?mail )?address",
        ),
    ),
    (
        Reason.SYSTEM,
        (
            "insufficient (system )?(storage|resources)",
            "temporar(y|ily) (local )?(problem|failure|error|unavailable)",
            "local (error|problem)",
            "out of memory",
            "service (is )?(temporarily |currently )?(not available|unavailable)",
            "mailer error",
            "unknown mailer",
            "local configuration",
            "configuration error",
            "queue file",
            "internal (system |server )?error",
            "protocol error",
            "remote protocol",
        ),
    ),
    (
        Reason.NETWORK,
        (
            "(connection|operation) timed out",
            "connection (refused|reset)",
            "no route to host",
            "lost connection",
            "(host|domain) .{0,60}lookup (failed|error)",
            "mail for .{1,80} loops back",
            "retry time(out)?",
            "too long",
            "timed? ?out",
            "expired",
            "giving up",
            "given up",
            "could not be delivered for",
            "attempts",
            "too many hops",
            "hop count",
            "mail ?loop",
            "routing loop",
            "forwarded more than",
            "network (is )?(error|unreachable)",
            "socket error",
            "did not accept our requests",
            "not responding",
            "name server",
        ),
    ),
    (
        Reason.POLICY,
        (
            "polic(y|ies)",
            "access denied",
            "content (rejected|blocked)",
            "administrative prohibition",
            "security issue",
        ),
    ),
)
