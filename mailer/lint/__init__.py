"""An issue looked at as its readers will see it, before anybody does.

```
issue.md ─check→ problems of the text ─render(traced)→ Page ─rules→ problems of the page
                                                      problems, less what is off → Findings
```
"""
