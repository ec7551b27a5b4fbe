"""Every error of the kernel, in one tree. Each class holds its HTTP status and its OpenAI ``type`` and ``code``.

    AgenticError                 500 server_error
    ├── BadRequest               400 invalid_request_error
    ├── Unauthorized             401 authentication_error     invalid_api_key
    ├── Forbidden                403 permission_error
    ├── NotFound                 404 invalid_request_error    not_found
    │   ├── ModelNotFound        404                          model_not_found
    │   └── SessionNotFound      404                          session_not_found
    ├── Conflict                 409 invalid_request_error    conflict
    ├── PayloadTooLarge          413 invalid_request_error    payload_too_large
    ├── UnsupportedType          415 invalid_request_error    unsupported_type
    ├── RateLimited              429 rate_limit_error         rate_limit_exceeded
    │   └── QuotaExceeded        429 insufficient_quota       insufficient_quota
    ├── ModelError               502 upstream_error           model_error
    │   ├── ModelUnavailable     503                          model_unavailable
    │   ├── ModelTimeout         504                          model_timeout
    │   └── ContextExceeded      400 invalid_request_error    context_length_exceeded
    ├── LoginUnavailable         503 upstream_error           login_unavailable
    ├── StorageError             503 storage_error            storage_unavailable
    ├── Cancelled                503 server_error             cancelled
    ├── BudgetExceeded           500 server_error             budget_exceeded   (ends a run, told in its answer)
    ├── RunEnded                 500 server_error             run_ended         (a handle used after the end)
    ├── ConfigurationError       500 server_error             configuration     (stops the start)
    └── ToolError                500 server_error             tool_error        (an observation, never on the wire)
        ├── ToolRetry            500                          tool_retry
        └── FetchError           500                          fetch_error
            └── AddressRefused   500                          address_refused

A tool fails in two ways only: :class:`ToolRetry` (call again with better arguments) and :class:`ToolError` (go another
way). Anything else that a tool raises is a bug in the tool.
"""

from __future__ import annotations


class AgenticError(Exception):
    """Base of every error that a user may see. The message is written for that user and holds no secret."""

    status = 500
    type = "server_error"
    code: str | None = None

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s


class BadRequest(AgenticError):
    """The request cannot be served as it is; ``param`` names the field at fault."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class Unauthorized(AgenticError):
    """No valid token or API key."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(AgenticError):
    """A valid principal without the right to do this."""

    status = 403
    type = "permission_error"
    code = "forbidden"


class NotFound(AgenticError):
    """There is no such thing, or it is somebody else's: the answer is the same."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """No provider has this model; for a model that can be pulled the message holds the command."""

    code = "model_not_found"


class SessionNotFound(NotFound):
    """No conversation of this principal has this session id."""

    code = "session_not_found"


class Conflict(AgenticError):
    """The thing exists already, or was changed in between."""

    status = 409
    type = "invalid_request_error"
    code = "conflict"


class PayloadTooLarge(AgenticError):
    """The body is larger than MAX_BODY_MB, or the file than MAX_UPLOAD_MB."""

    status = 413
    type = "invalid_request_error"
    code = "payload_too_large"


class UnsupportedType(AgenticError):
    """No installed reader takes a file of this kind apart; the message lists the kinds that can be read."""

    status = 415
    type = "invalid_request_error"
    code = "unsupported_type"


class RateLimited(AgenticError):
    """Too many tries; ``retry_after_s`` goes out as Retry-After."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class QuotaExceeded(RateLimited):
    """What a user may use is used up: the tokens of a day, or the room for files."""

    type = "insufficient_quota"
    code = "insufficient_quota"


class ModelError(AgenticError):
    """The model server answered, but not with a whole answer: an error line, a cut stream, nonsense."""

    status = 502
    type = "upstream_error"
    code = "model_error"


class ModelUnavailable(ModelError):
    """The model server cannot be reached, or is too busy."""

    status = 503
    code = "model_unavailable"


class ModelTimeout(ModelError):
    """The model server was silent for too long."""

    status = 504
    code = "model_timeout"


class ContextExceeded(ModelError):
    """The model server refuses a prompt that is longer than the model's context: nothing but a shorter one helps."""

    status = 400
    type = "invalid_request_error"
    code = "context_length_exceeded"


class LoginUnavailable(AgenticError):
    """The provider at which people sign in cannot be reached, or answers nonsense."""

    status = 503
    type = "upstream_error"
    code = "login_unavailable"


class StorageError(AgenticError):
    """Storage could not keep or find what was asked of it: disk full, file gone, server away."""

    status = 503
    type = "storage_error"
    code = "storage_unavailable"


class Cancelled(AgenticError):
    """The run was ended before its answer was whole: the server stops, or its conversation was deleted."""

    status = 503
    code = "cancelled"


class BudgetExceeded(AgenticError):
    """A run reached one of its limits; the message says which, and which setting raises it."""

    code = "budget_exceeded"


class RunEnded(AgenticError):
    """A handle of a run was used after the run had ended."""

    code = "run_ended"


class ConfigurationError(AgenticError):
    """A kernel setting is wrong: the message names it, its fault, and an example that works."""

    code = "configuration"


class ToolError(AgenticError):
    """A tool cannot do this; the message tells the model why, so that it can go another way."""

    code = "tool_error"


class ToolRetry(ToolError):
    """A tool was called wrongly; the message tells the model how to call it better."""

    code = "tool_retry"


class FetchError(ToolError):
    """What was to be fetched from the web cannot be: it is not reached, not read, too slow or too large."""

    code = "fetch_error"


class AddressRefused(FetchError):
    """The address may not be fetched for strangers: it is no web address, or leads to a network that is not public."""

    code = "address_refused"
