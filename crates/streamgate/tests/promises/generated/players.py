"""Uses clients that openapi-python-client has generated, against a real server.

Arguments: the server's URL. The packages lie beside this file. Every call goes through the generated
code only; where an assertion fails, a client of that generator would not work.
"""

import sys
from datetime import datetime, timezone

from concurrency_service import Client as ConcurrencyClient
from concurrency_service.api.default import start_session as concurrency_start
from core import AuthenticatedClient
from core.api.sessions import (
    heartbeat,
    list_sessions_of_user,
    start_named_session,
    start_session,
    stop_session,
)
from core.api.tokens import mint_token
from core.api.users import list_users, set_user
from core.models import (
    HeartbeatAnswer,
    LimitReached,
    MintedToken,
    Problem,
    SessionEnded,
    StartAnswer,
    StartBody,
    TokenRequest,
    UserChange,
    UserSessions,
)
from core.types import UNSET
from stream_log import Client as LogClient
from stream_log.api.default import end_stream, start_stream
from stream_log.models import FailedAnswer, StartedAnswer, Viewer, Watched

url = sys.argv[1]
client = AuthenticatedClient(base_url=url, token="the-key-of-the-test")


def say(what, condition, found):
    assert condition, f"{what}: {found}"


# A start, with one body for both ways to ask.
started = start_session.sync("ann", client=client, body=StartBody(device_id="tv"))
say("POST", isinstance(started, StartAnswer), started)
named = start_named_session.sync("ann", "s2", client=client, body=StartBody(content_id="film"))
say("PUT", isinstance(named, StartAnswer) and named.limit == 3, named)
bare = start_named_session.sync("ann", "s3", client=client, body=UNSET)
say("PUT without a body", isinstance(bare, StartAnswer) and bare.active == 3, bare)

# The refusal is a type of its own, and says which.
refused = start_named_session.sync("ann", "s4", client=client, body=StartBody())
say("refusal", isinstance(refused, LimitReached), refused)
say("refusal", (refused.code, refused.status) == ("limit_reached", 409), refused)
say("rule", (refused.rule, refused.limit) == ("limit", 3), refused)
say("conflict", "s2" in [session.session_id for session in refused.sessions], refused)

# Heartbeats, of a live session, an ended one and one that never was.
renewed = heartbeat.sync("ann", "s2", client=client)
say("heartbeat", isinstance(renewed, HeartbeatAnswer) and renewed.active == 3, renewed)
say("stop", stop_session.sync_detailed("ann", "s2", client=client).status_code == 204, None)
ended = heartbeat.sync("ann", "s2", client=client)
say("ended", isinstance(ended, SessionEnded), ended)
say("ended", (ended.code, ended.reason) == ("session_ended", "stopped"), ended)
unknown = heartbeat.sync("ann", "never", client=client)
say("unknown", isinstance(unknown, Problem) and unknown.code == "session_unknown", unknown)

# What is left out of a change stays as it is.
set_user.sync("ann", client=client, body=UserChange(plan="basic"))
changed = set_user.sync("ann", client=client, body=UserChange(limit=5))
say("change", (changed.plan, changed.limit) == ("basic", 5), changed)
cleared = set_user.sync("ann", client=client, body=UserChange(plan=None))
say("clear", (cleared.plan, cleared.limit) == (None, 5), cleared)
listed = list_sessions_of_user.sync("ann", client=client)
say("list", isinstance(listed, UserSessions) and listed.active == 2, listed)
users = list_users.sync(client=client)
say("users", users.next_cursor is None and users.users[0].limit_source == "user", users)
wrong = start_named_session.sync("ann", "s5", client=client, body=StartBody(device_id=""))
say("invalid", isinstance(wrong, Problem) and wrong.errors[0].field == "device_id", wrong)

# A token, and what its bearer may do.
minted = mint_token.sync("ann", client=client, body=TokenRequest(ttl_s=60))
say("mint", isinstance(minted, MintedToken) and minted.token_type == "Bearer", minted)
say("expiry", minted.expires_at > datetime.now(timezone.utc), minted)
viewer = AuthenticatedClient(base_url=url, token=minted.token)
mine = list_sessions_of_user.sync("ann", client=viewer)
say("viewer", isinstance(mine, UserSessions) and mine.user_id == "ann", mine)
other = list_sessions_of_user.sync("bob", client=viewer)
say("another user", isinstance(other, Problem) and other.code == "forbidden", other)

# A dialect whose refusal is a text under the media type of JSON.
gateway = ConcurrencyClient(base_url=f"{url}/compat/concurrency-service", headers={"x-api-key": "the-key-of-the-test"})
for count in range(1, 4):
    counted = concurrency_start.sync("dev", "bob", f"s{count}", client=gateway)
    say("count", counted.concurrent_sessions == count, counted)
refused = concurrency_start.sync_detailed("dev", "bob", "s4", client=gateway)
say("gateway", refused.status_code == 400, refused)
say("gateway", b"trying to watch 4 streams" in refused.content, refused)

# A dialect whose streams are ended under the name that the start told.
log = LogClient(base_url=f"{url}/compat/stream-log", headers={"x-api-key": "the-key-of-the-test"})
for user in ["cat", 7]:
    stream = start_stream.sync("dev", client=log, body=Viewer(user_id=user))
    say("stream", isinstance(stream, StartedAnswer) and stream.message.user_id == user, stream)
    watched = Watched(user_id=user, stream_id=stream.message.stream_id)
    over = end_stream.sync_detailed("dev", client=log, body=watched)
    say("end", over.status_code == 204, over)
    again = end_stream.sync("dev", client=log, body=watched)
    say("end again", isinstance(again, FailedAnswer) and again.status_code == 404, again)

print("played")
