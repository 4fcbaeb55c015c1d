#!/bin/sh
## ## curl
##
## For scripts: a stream is server-sent events, and the `id:` of an event is its cursor. To
## resume after a lost connection, send the last id as the header `Last-Event-ID`. It replaces
## the variable that the subscription passes as `after`. Every client of server-sent events can
## do this. (The browser's own EventSource sends the header but no key: use it behind a proxy
## that adds a key, listen to `next`, and close it at `complete`.)
##
##     TRAINYARD_URL=http://127.0.0.1:4000 TRAINYARD_TOKEN=tyk_… ./curl.sh follow job_…

: "${TRAINYARD_URL:=http://127.0.0.1:4000}" "${TRAINYARD_TOKEN:?A key is required.}"

post() { # the document, the variables, more options of curl
  body="{\"query\": \"$1\", \"variables\": $2}"
  shift 2
  printf '%s' "$body" | curl --silent --show-error "$TRAINYARD_URL/graphql" --data-binary @- \
    --header "Authorization: Bearer $TRAINYARD_TOKEN" --header 'Content-Type: application/json' "$@"
}

find_job() {
  post 'query ($id: ID!) { job(id: $id) { id name status } }' "{\"id\": \"$1\"}"
}

cancel_job() {
  post 'mutation ($input: CancelJobInput!) { cancelJob(input: $input) { __typename ... on CancelJobPayload { job { status } } ... on Error { code message } } }' \
    "{\"input\": {\"jobId\": \"$1\"}}"
}

# Prints each frame of the log once, in order, until the job has ended.
follow() {
  log='subscription ($jobId: ID!, $after: Cursor) { log(jobId: $jobId, after: $after) { state chunks { text } } }'
  last=$(mktemp)
  trap 'rm -f "$last"' EXIT
  while :; do
    post "$log" "{\"jobId\": \"$1\"}" --no-buffer --header 'Accept: text/event-stream' --header "Last-Event-ID: $(cat "$last")" |
      {
        while IFS= read -r line; do
          case $line in
            'id: '*) id=${line#id: } ;;
            'data: '*) printf '%s\n' "${line#data: }" && printf '%s' "$id" >"$last" ;;
            'event: complete') exit 0 ;;
            '{'*) printf '%s\n' "$line" >&2 && exit 2 ;; # refused: that is no stream
          esac
        done
        exit 1
      }
    case $? in
      0) return ;;
      2) exit 2 ;;
    esac
    sleep 1
  done
}

command=$1
shift
case $command in
  find) find_job "$@" ;;
  cancel) cancel_job "$@" ;;
  follow) follow "$@" ;;
esac
