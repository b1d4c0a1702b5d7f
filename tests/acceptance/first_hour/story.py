"""The story: from `git clone` to a restored installation, three weeks on."""

from __future__ import annotations

from tests.acceptance.first_hour.telling import Chapter, Edit, Happens, Keep, Run, Say, Step, Write

HEAD = """# Tutorial: the first hour, and three weeks

*Written by `python -m docs.write` from a test that types these very commands and looks at what
they say (`tests/acceptance/first_hour`). Where a line has `…`, yours will differ.*

Ann has a weekly letter of picked papers. The service that sent it has shut down; what she has left
is its export. She has a relay: an SMTP server that takes her mail, with a name and a password.
"""

ISSUE_1 = """---
subject: "Papers Weekly 31: what a small model can do"
preheader: Two papers and a tool, picked by hand.
number: 31
date: 2026-11-30
lang: en
---

Hello {{ subscriber.name | default("there") }},

:::highlights[IN SHORT]
- Small models, trained longer.
- A debugger that goes backwards.
:::

::toc[IN THIS ISSUE]

## 1. Papers

### [Training compute-optimal models](https://arxiv.org/abs/2203.15556)

[2203.15556] Training Compute-Optimal Large Language Models
More data beats more weights, for the same bill.

## 2. Tools

### [rr: record and replay](https://rr-project.org/)

Run a failing program once, then step back from where it broke.

::subscribe[Get it every Monday](https://news.example.com/s/papers-weekly)

::about[About the author]

Ann reads papers so that you can pick yours.
"""

FIRST_HOUR: tuple[Step, ...] = (
    Chapter(title="To a first issue, in four commands"),
    Say(
        words="Python 3.11 or newer with `venv`, and git, are all that it needs; `$PRESSRUN` is"
        " where you have it from. The third command asks for what its options say here, if you"
        " leave them out."
    ),
    Run(command='git clone "$PRESSRUN" pressrun'),
    Run(command="python3 -m venv pressrun-venv && pressrun-venv/bin/pip install ./pressrun"),
    Run(
        command='pressrun-venv/bin/mailer init papers --name "Papers Weekly"'
        ' --from "Ann Author <ann@example.com>" --postal-address "1 Road, Town"'
        " --public-url https://news.example.com --timezone Europe/Berlin"
        " --relay-host smtp.example.com --relay-username ann --yes",
        shows=(
            "made      papers/pressrun.toml",
            "made      the newsletter papers-weekly",
            "made      papers/issue.md",
        ),
    ),
    Run(
        command="cd papers && ../pressrun-venv/bin/mailer campaign test issue.md"
        " --to ann@example.com --maildir mail",
        shows=("sent: ann@example.com … (campaign 1)", "look into mail/new"),
    ),
    Happens(
        what="a_message_lies_in_the_maildir_after_four_commands",
        words="There lies a whole message as it would leave, in a folder that mail programs read."
        " No relay was asked. From here on the command is `mailer`:",
    ),
    Run(command='export PATH="$PWD/../pressrun-venv/bin:$PATH"'),
    Chapter(title="The relay, and what the world must know"),
    Say(words="The relay's password stands in a file of its own:"),
    Write(file="relay.password", content="first-password\n"),
    Edit(
        file="pressrun.toml",
        old='username = "ann"\n',
        new='username = "ann"\npassword_file = "relay.password"\n',
    ),
    Run(command="chmod 600 relay.password"),
    Run(
        command="mailer relay test",
        shows=("default: well, … logged in as ann",),
    ),
    Say(words="A key to sign mail with, and the record that publishes it:"),
    Run(
        command="mailer dkim new --selector s1 --add",
        shows=("publish   s1._domainkey.example.com. IN TXT …",),
    ),
    Say(
        words="Bounces and complaints come back as signed webhooks. A generic one serves any relay;"
        " the providers' own are in [webhooks.md](webhooks.md)."
    ),
    Run(
        command="python3 -c 'import base64, secrets;"
        ' print("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())\' > webhook.secret'
    ),
    Edit(
        file="pressrun.toml",
        old='# generic_secret_file = "webhook.secret"\n',
        new='generic_secret_file = "webhook.secret"\n',
    ),
    Run(command="chmod 600 webhook.secret"),
    Keep(command="mailer serve"),
    Happens(what="the_web_process_answers"),
    Say(
        words="`mailer doctor` looks at all of it and tells what is missing, with the records to"
        " publish. Until the DNS has them, it ends with 1."
    ),
    Run(
        command="mailer doctor",
        shows=("ok       database: …", "ok       keys: …", "ok       relay default: …"),
        code=1,
    ),
    Chapter(title="The people of the old list"),
    Happens(
        what="an_export_lies_there",
        words="The service mailed a zip before it closed. A dry run says what would become of it:",
    ),
    Run(
        command="mailer subscribers import revue.zip --dry-run",
        shows=(
            "subscribers_2023-01-10.csv: from Revue",
            "unsubscribed_2023-01-10.csv: from Revue",
            "Would be: 44 rows: 43 added (3 unsubscribed), 0 updated, 0 unchanged, 1 refused",
        ),
    ),
    Run(
        command="mailer subscribers import revue.zip --refused refused.csv",
        shows=("44 rows: 43 added (3 unsubscribed), 0 updated, 0 unchanged, 1 refused",),
    ),
    Run(
        command="mailer subscribers stats",
        shows=("Papers Weekly: 40 would receive an issue now", "unsubscribed 3"),
    ),
    Say(words="Old issues go into the archive; nothing is sent by that."),
    Run(
        command="mailer archive import issue-30.html --at 2022-12-19",
        shows=("issue-30.html 30 … in the archive",),
    ),
)

FIRST_WEEK: tuple[Step, ...] = (
    Chapter(title="The first week"),
    Write(file="issue-31.md", content=ISSUE_1),
    Run(command="rm issue.md"),
    Run(command="mailer issue check issue-31.md", shows=("no problems found",)),
    Keep(command="mailer issue preview issue-31.md"),
    Happens(
        what="the_preview_shows_it",
        words="It prints an address: the issue in the browser, which follows each save.",
    ),
    Keep(command="mailer issue preview issue-31.md", stops=True),
    Say(
        words="Pressrun mails the owner of a newsletter when an issue starts, pauses and ends. Ann"
        " wants to hear of trouble alone:"
    ),
    Run(
        command="mailer newsletter set papers-weekly --owner-mail trouble",
        shows=("owner mail all trouble",),
    ),
    Run(
        command="mailer campaign test issue-31.md --to ann@example.com",
        shows=("sent: ann@example.com … (campaign 3)",),
    ),
    Run(
        command="mailer campaign schedule issue-31.md --now --yes",
        shows=(
            "newsletter  Papers Weekly (papers-weekly)",
            "to  40 people",
            "campaign 4 is scheduled",
        ),
    ),
    Happens(what="the_campaign_ends"),
    Run(
        command="mailer campaign report 4",
        shows=("campaign 4: finished — …", "sent 40", "the ledger balances"),
    ),
    Run(command="mailer campaign audit 4", shows=("sent 40", "audience 40", "the ledger balances")),
    Happens(
        what="a_mailbox_is_gone_and_somebody_leaves",
        words="On Monday evening a provider reports that bea's mailbox is gone, and cem presses"
        " his mail program's button to unsubscribe.",
    ),
    Run(
        command="mailer subscribers show bea@example.net",
        shows=("papers-weekly: bounced since …",),
    ),
    Run(
        command="mailer campaign explain cem@example.net 4",
        shows=("cem@example.net: …", "… consent: withdrawn by web"),
    ),
)

SECOND_WEEK: tuple[Step, ...] = (
    Chapter(title="The second week"),
    Say(
        words="`issue new` counts on, and takes over what comes every week. Links come in as found:"
    ),
    Run(
        command="mailer issue new",
        shows=("issue-32.md is written, number 32, with the sections of issue-31.md",),
    ),
    Run(
        command="mailer issue add https://arxiv.org/abs/2303.08774 --section papers --offline"
        ' --note "The report that names no sizes."',
        shows=("issue-32.md:19: https://arxiv.org/abs/2303.08774",),
    ),
    Say(
        words="Without `--offline` the page's own title comes along. Now the words at the top;"
        " what `issue new` left there is only a reminder."
    ),
    Edit(
        file="issue-32.md",
        old='subject: "Issue 32: say here what is in it"',
        new='subject: "Papers Weekly 32: a report without numbers"',
    ),
    Edit(
        file="issue-32.md",
        old='preheader: "One sentence that inboxes show behind the subject."',
        new='preheader: "What it says, and what it does not."',
    ),
    Edit(
        file="issue-32.md",
        old="- The best of this issue, in one line.",
        new="- A long report, and what is missing in it.",
    ),
    Run(command="mailer issue check issue-32.md", shows=("no problems found",)),
    Run(
        command='mailer campaign schedule issue-32.md --at "next Mon 9:00" --yes',
        shows=(
            "to  38 people",
            "left out  4 unsubscribed, 1 bounced",
            "when  Mon … 09:00 Europe/Berlin = Mon … UTC",
            "campaign 5 is scheduled",
        ),
    ),
    Say(
        words="Until it starts, its content can be replaced; who gets it, and when, stays as it is."
    ),
    Edit(
        file="issue-32.md",
        old='subject: "Papers Weekly 32: a report without numbers"',
        new='subject: "Papers Weekly 32: a long report, and no numbers"',
    ),
    Run(
        command="mailer campaign replace 5 issue-32.md --yes",
        shows=(
            "subject  Papers Weekly 32: a report without numbers",
            "now  Papers Weekly 32: a long report, and no numbers",
            "campaign 5 has the new content",
        ),
    ),
    Happens(what="the_time_has_come", words="When it is time, `mailer serve` sends it by itself."),
    Happens(what="the_campaign_ends"),
    Run(
        command="mailer campaign audit 5",
        shows=("sent 38", "audience 38", "the ledger balances"),
    ),
)

THIRD_WEEK: tuple[Step, ...] = (
    Chapter(title="The third week, and a password that has changed"),
    Happens(
        what="the_relays_password_changes",
        words="The relay has a new password, and Ann has forgotten to tell Pressrun.",
    ),
    Run(command="mailer issue new"),
    Edit(
        file="issue-33.md",
        old='subject: "Issue 33: say here what is in it"',
        new='subject: "Papers Weekly 33: a tool for the holidays"',
    ),
    Edit(
        file="issue-33.md",
        old='preheader: "One sentence that inboxes show behind the subject."',
        new='preheader: "Something to play with."',
    ),
    Edit(
        file="issue-33.md",
        old="- The best of this issue, in one line.",
        new="- One tool, and a week off.",
    ),
    Run(command="mailer issue add https://example.org/tool --section tools --offline"),
    Run(
        command="mailer campaign schedule issue-33.md --now --yes",
        shows=("campaign 6 is scheduled",),
    ),
    Happens(
        what="the_campaign_pauses",
        words="Nobody is mailed, nobody is counted as refused: the campaign pauses, and says why.",
    ),
    Run(
        command="mailer campaign status 6",
        shows=(
            "campaign 6: paused — Papers Weekly 33: a tool for the holidays",
            "paused because: … refuses the login of ann: it said 535 …",
            "go on with: mailer campaign resume 6",
            "38 queued",
        ),
    ),
    Write(file="relay.password", content="second-password\n"),
    Keep(command="mailer serve", stops=True),
    Keep(command="mailer serve"),
    Happens(what="the_web_process_answers"),
    Run(command="mailer campaign resume 6", shows=("campaign 6 is sending again",)),
    Happens(what="the_campaign_ends"),
    Run(
        command="mailer campaign audit 6",
        shows=("sent 38", "audience 38", "the ledger balances"),
    ),
    Say(words="Why dee got it, with every step:"),
    Run(
        command="mailer campaign explain dee@example.net 6",
        shows=(
            "dee@example.net: got a copy: the relay took it",
            "… attempt 1: let fly through relay default …",
            "… attempt 1: sent in phase reply 250 2.0.0",
        ),
    ),
    Happens(what="everybody_got_each_issue_once"),
)

AFTERWARDS: tuple[Step, ...] = (
    Chapter(title="What there is to look at"),
    Say(
        words="What the month brought: who joined, who left, net, and members now; then each issue"
        " with its people, bounces and leaves. A terminal shows it with plots, and `--html` makes a"
        " page of it."
    ),
    Run(
        command="mailer report growth --by month --last 1",
        shows=(
            "… 38",
            "31 · Papers Weekly 31: … 40 1 0 0 1",
            "32 · Papers Weekly 32: … 38 0 0 0 0",
        ),
    ),
    Run(
        command="mailer report growth --html growth.html",
        shows=("growth.html: written; open it in a browser",),
    ),
    Run(
        command="mailer archive list",
        shows=("33 Papers Weekly 33: … https://news.example.com/archive/papers-weekly/33",),
    ),
    Happens(
        what="the_archive_is_open",
        words="`mailer serve` shows these pages to all. They can be a site of their own, too:",
    ),
    Run(
        command="mailer archive build --out site",
        shows=("4 issues of 1 newsletters are in site; …",),
    ),
    Chapter(title="A backup, and another machine"),
    Say(words="A backup can be made at any time, while mail flies too; it holds the keys as well."),
    Run(command="mailer backup papers.tar.gz", shows=("papers.tar.gz: 43 people, …",)),
    Keep(command="mailer serve", stops=True),
    Say(words="On the other machine, with Pressrun installed as above:"),
    Run(
        command="mkdir ../elsewhere"
        " && cp papers.tar.gz pressrun.toml *.pem *.password *.secret ../elsewhere"
    ),
    Run(
        command="cd ../elsewhere && mailer restore papers.tar.gz",
        shows=("restored what was here on …",),
    ),
    Run(
        command="mailer campaign audit 6",
        shows=("sent 38", "audience 38", "the ledger balances"),
    ),
    Chapter(title="A new version"),
    Happens(
        what="the_database_is_of_an_older_version",
        words="A newer Pressrun may keep more than the one before. It does not touch a database"
        " that is older until it is told to:",
    ),
    Run(
        command="mailer subscribers stats",
        shows=("mailer: pressrun.db: made by an older Pressrun; run `mailer db upgrade`",),
        code=1,
    ),
    Run(command="mailer db upgrade", shows=("the database has this version's schema",)),
    Keep(command="mailer serve"),
    Happens(what="the_web_process_answers"),
    Run(
        command="mailer campaign audit 6",
        shows=("sent 38", "audience 38", "the ledger balances"),
    ),
    Run(
        command="mailer campaign explain cem@example.net 6",
        shows=("cem@example.net: got no copy: … 'unsubscribed' …",),
    ),
    Keep(command="mailer serve", stops=True),
)

STORY: tuple[Step, ...] = (*FIRST_HOUR, *FIRST_WEEK, *SECOND_WEEK, *THIRD_WEEK, *AFTERWARDS)
