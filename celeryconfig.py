"""Celery's settings, each with its reason.

What is measured was measured on Celery 5.7.0 with Valkey 9.1.
"""

from worker.errors import ConfigurationError
from worker.runtime import settings

try:
    _settings = settings()
except ConfigurationError as error:
    raise SystemExit(error.sentence) from None

_queues = _settings.queues

broker_url = _settings.redis_url.get_secret_value()
result_backend = broker_url
imports = ("tasks.chain", "tasks.start_run", "tasks.end_run", "tasks.recover_runs",
           "tasks.reconcile_orders", "tasks.keep_session", "tasks.show_life")  # fmt: skip

# JSON alone: a message can be read in Redis, and can run nothing when it is loaded.
task_serializer = result_serializer = "json"
accept_content = result_accept_content = ["json"]

# Strategies have time zones of their own (worker/schedule); Celery's clock is UTC.
timezone = "UTC"
enable_utc = True

broker_transport_options = {
    # Redis delivers an unacknowledged message again after this: longer than any step, at least
    # three times the longest countdown. The smallest value of all consumers counts.
    "visibility_timeout": _queues.visibility_timeout.total_seconds(),
    # The default looks for such messages every 100 s only.
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
broker_connection_retry_on_startup = True  # a worker that starts before Redis waits for it
broker_connection_max_retries = None
# The publication of the next step survives a blip; the default turns a finished step to FAILURE.
task_publish_retry_policy = {
    "max_retries": 90, "interval_start": 0.2, "interval_step": 0.3, "interval_max": 1,
}  # fmt: skip
result_backend_transport_options = {
    "retry_policy": {
        "max_retries": 90, "interval_start": 0, "interval_step": 0.5, "interval_max": 1,
    }
}  # fmt: skip
result_backend_always_retry = True
redis_socket_timeout = 30
redis_socket_connect_timeout = 5
redis_socket_keepalive = True
redis_retry_on_timeout = True

# Longer than any wait for a session, or the results of a waiting chain vanish.
result_expires = int(_queues.result_expires.total_seconds())
result_extended = True  # name, arguments and queue stand in the result key, for people

# At least once: a killed worker's step comes back; worker/step.py makes its effect once only.
task_acks_late = True
task_reject_on_worker_lost = True
task_acks_on_failure = True
task_acks_on_timeout = True
worker_prefetch_multiplier = 1
# A cheap second line; it loses races, the journal does not.
worker_deduplicate_successful_tasks = True
# True would kill an order in mid-conversation when Redis goes away.
worker_cancel_long_running_tasks_on_connection_loss = False

# Prefork pools alone know limits; a soft one fails the step, the hard one is the backstop.
task_soft_time_limit = _queues.step_deadline.total_seconds()
task_time_limit = task_soft_time_limit + _queues.hard_limit_after.total_seconds()
# With REMAP_SIGTERM=SIGQUIT in the environment: running steps get this long to finish.
worker_soft_shutdown_timeout = 20
worker_max_tasks_per_child = 500  # what leaks is bounded
worker_hijack_root_logger = False
worker_send_task_events = True  # Flower
task_send_sent_event = True
task_track_started = True

task_default_queue = "upkeep"
task_create_missing_queues = True
task_routes = {
    "tasks.start_tracking": {"queue": "io"},
    "tasks.validate_environment": {"queue": "io"},
    "tasks.check_market_open": {"queue": "wait"},
    "tasks.check_ibkr_auth": {"queue": "io"},
    "tasks.fetch_market_data": {"queue": "io"},
    "tasks.generate_signal": {"queue": "io"},
    "tasks.place_orders": {"queue": "orders"},
    "tasks.end_tracking": {"queue": "io"},
    "tasks.cleanup": {"queue": "io"},
    "tasks.start_run": {"queue": "upkeep"},
    "tasks.end_run": {"queue": "upkeep"},
    "tasks.recover_runs": {"queue": "upkeep"},
    "tasks.reconcile_orders": {"queue": "upkeep"},
    "tasks.keep_session": {"queue": "session"},
    "tasks.show_life": {"queue": "upkeep"},  # Beat sends it to every queue, by the queue's name
}

beat_scheduler = "worker.beat:OpenbellScheduler"
beat_max_loop_interval = 1
# `openbell doctor` asks Beat by ping; it is silent when its last look was more than a minute ago.
beat_enable_remote_control = True
