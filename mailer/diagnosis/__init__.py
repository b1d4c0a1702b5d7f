"""What a relay's reply means: SMTP code, enhanced code and words become a Reason. Pure."""

from mailer.diagnosis.diagnose import Diagnosis, diagnose
from mailer.diagnosis.enhanced import enhanced_code
from mailer.diagnosis.redact import redact

__all__ = ["Diagnosis", "diagnose", "enhanced_code", "redact"]
