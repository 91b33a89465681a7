"""The deliveries that do not fit the schema that is published in the same version.

They are older than it: most lack members that GitHub has since added to every repository
(`custom_properties`, `is_template`, `topics` ...), and two have times that are not of RFC 3339.
Found with another implementation, PyPI `jsonschema` 4.26.0 (`Draft7Validator` with its
`FORMAT_CHECKER` and PyPI `rfc3987` 1.3.8), so a difference is a defect of our validator.
"""

from typing import FrozenSet, Tuple

# Of these events, the first delivery.
_FIRST = """
branch_protection_rule check_run check_suite code_scanning_alert commit_comment create delete
dependabot_alert deploy_key deployment deployment_status discussion discussion_comment fork gollum
installation installation_repositories issue_comment issues label member merge_group meta milestone
package page_build ping project project_card project_column public pull_request
pull_request_review pull_request_review_comment pull_request_review_thread push release repository
repository_dispatch repository_import repository_vulnerability_alert security_advisory star status
team team_add watch workflow_dispatch workflow_job workflow_run
""".split()
_LATER = (("check_run", 7), ("check_run", 8), ("sponsorship", 1))

MISFITS: FrozenSet[Tuple[str, int]] = frozenset([(event, 0) for event in _FIRST] + list(_LATER))
"""Event and index of each."""
