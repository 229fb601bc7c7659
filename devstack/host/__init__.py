"""A small local Azure Functions host: HTTP, queue and timer triggers, queue outputs.

It imitates what the real host (4.1037) and its Storage Queue extension were seen to do, so that an app of the Python
v2 model meets the same deliveries, retries, stops and poison moves on a laptop as in the cloud.
Start it with `python -m devstack.host --app <directory>`.
`make test-host` runs one list of behaviours against it, `make test-host ARGS="--func"` the same against the real host.

Stricter on purpose, so that a fault is seen where it is made:

- an app that does not load, an unresolved `%NAME%`, a missing connection, a bad schedule, a bad host.json and a missing
  `AzureWebJobsStorage` beside a timer end it at once with code 1. The real host stays up: without any function, without
  the one concerned, with 503 on every route, or with the fault of an output at its first message;
- it ends with code 1 where the real one ends with 0: refused by storage, or after the third exit of its worker;
- what the product does not use is refused at start-up: `async def`, text triggers and base64 encoding, outputs that are
  no lists of texts, answers that are no HttpResponse, route constraints and optional parameters, retry policies,
  `run_on_startup`, schedules that are no six fields, other bindings; and cookies in an answer, when one comes up;
- a time span in host.json that is a bare number, which the real host reads as days, is refused.

Different on purpose, because a laptop is no cloud:

- storage that is away is waited out, where the real host ends after a while and its platform starts it again;
- SIGTERM gives calls no more time than messages (10 s, `--drain-seconds`), where the real host was seen to wait longer
  for a call; `--lease-seconds` shortens the ten minutes that a message is hidden;
- a worker ends with its host, where one whose host got SIGKILL is left behind in the cloud;
- timers keep no state in storage: a tick missed while the host was down is not made up for;
- output bindings of one function are sent one after the other, not side by side;
- connections are connection strings; the identity form is refused;
- access keys are settings, `HOST_FUNCTION_KEY` and `HOST_MASTER_KEY`, asked for with `--enable-auth`;
- with `APPLICATIONINSIGHTS_CONNECTION_STRING` traces reach the functions as in the cloud, but nothing is sent anywhere.
"""
