#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <event2/listener.h>
#include <event2/util.h>
#include "graph_api.h"


#define BODY_MAX  (128 * 1024 * 1024)

static const char  usage[] =
"usage: graph-api [options]\n"
"\n"
"A stand-in for Meta's Graph API.  Messages posted to\n"
"/v26.0/<phone number id>/messages are accepted, and their status webhooks\n"
"sent, delivered, read are posted to --webhook, signed as Meta signs them.\n"
"\n"
"  --listen ADDR:PORT|unix:PATH   where to listen (127.0.0.1:8090)\n"
"  --token TOKEN                  accept this bearer token; repeat for more;\n"
"                                 without it any token is accepted\n"
"  --app-secret SECRET            signs the webhooks\n"
"  --webhook URL|unix:PATH:/URI   where webhooks go\n"
"  --verify-token TOKEN           for POST /standin/subscribe\n"
"  --account ID                   WhatsApp business account\n"
"  --delay MS                     before a message is answered (0)\n"
"  --status-delay MS              between the statuses of a message (100)\n"
"  --retry MS                     before a webhook is repeated; doubles up to\n"
"                                 a minute (1000)\n"
"  --no-status                    no status webhooks\n"
"  --usage                        send x-business-use-case-usage\n"
"  --log FILE                     one line a request\n"
"  --help\n"
"\n"
"Control, all below /standin/, without a token:\n"
"  GET  health                    200 when up\n"
"  POST fail                      fails messages by a script:\n"
"      {\"match\":{\"to\":T}|{\"nth\":N}, \"mode\":M, \"count\":1,\n"
"       \"http\":400, \"ms\":1000}\n"
"      M: 429 500 503 131056 code:NNN slow timeout timeout_after reset\n"
"      reset_after; count -1: for ever; nth: the N-th message from now\n"
"  GET  fail                      the script as it stands\n"
"  POST statuses                  what is told of each message:\n"
"      {\"emit\":[\"sent\",\"delivered\",\"read\"], \"delay\":100,\n"
"       \"batch\":1}; an item may be failed:NNN; any order, any repeats\n"
"  GET  requests[?after=SEQ&limit=N&to=T]\n"
"                                 the messages asked for, oldest first\n"
"  GET  open[?within=MS]          those without an answer; and those answered\n"
"                                 less than MS before the newest event\n"
"  GET  webhooks                  counts\n"
"  POST subscribe                 {\"callback_url\":U, \"verify_token\":V}\n"
"  POST send-webhook[?signature=bad|missing|double]\n"
"                                 signs and posts the body once\n"
"  POST reset                     forgets requests, failures, statuses\n";

enum {
    OPT_LISTEN = 256, OPT_TOKEN, OPT_SECRET, OPT_WEBHOOK, OPT_VERIFY,
    OPT_ACCOUNT, OPT_DELAY, OPT_STATUS_DELAY, OPT_RETRY, OPT_NO_STATUS,
    OPT_USAGE, OPT_LOG, OPT_HELP
};

static const struct option  longs[] = {
    { "listen",       required_argument, NULL, OPT_LISTEN },
    { "token",        required_argument, NULL, OPT_TOKEN },
    { "app-secret",   required_argument, NULL, OPT_SECRET },
    { "webhook",      required_argument, NULL, OPT_WEBHOOK },
    { "verify-token", required_argument, NULL, OPT_VERIFY },
    { "account",      required_argument, NULL, OPT_ACCOUNT },
    { "delay",        required_argument, NULL, OPT_DELAY },
    { "status-delay", required_argument, NULL, OPT_STATUS_DELAY },
    { "retry",        required_argument, NULL, OPT_RETRY },
    { "no-status",    no_argument,       NULL, OPT_NO_STATUS },
    { "usage",        no_argument,       NULL, OPT_USAGE },
    { "log",          required_argument, NULL, OPT_LOG },
    { "help",         no_argument,       NULL, OPT_HELP },
    { NULL, 0, NULL, 0 }
};


int64_t
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


void *
must(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "graph-api: out of memory\n");
        abort();
    }

    return memory;
}


static int64_t
milliseconds(const char *option, const char *text)
{
    char     *end;
    int64_t   ms;

    errno = 0;
    ms = strtoll(text, &end, 10);

    if (errno || end == text || *end != '\0' || ms < 0) {
        fprintf(stderr, "graph-api: --%s wants milliseconds, not \"%s\"\n",
                option, text);
        exit(2);
    }

    return ms;
}


static void
parse(options_t *options, int argc, char **argv)
{
    int  c;

    options->listen = "127.0.0.1:8090";
    options->app_secret = "";
    options->account = "215589112233445";
    options->status_delay = 100;
    options->retry = 1000;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {

        switch (c) {
        case OPT_LISTEN:
            options->listen = optarg;
            break;
        case OPT_TOKEN:
            if (options->ntokens == TOKENS_MAX) {
                fprintf(stderr, "graph-api: at most %d tokens\n", TOKENS_MAX);
                exit(2);
            }
            options->tokens[options->ntokens++] = optarg;
            break;
        case OPT_SECRET:
            options->app_secret = optarg;
            break;
        case OPT_WEBHOOK:
            options->webhook = optarg;
            break;
        case OPT_VERIFY:
            options->verify_token = optarg;
            break;
        case OPT_ACCOUNT:
            options->account = optarg;
            break;
        case OPT_DELAY:
            options->delay = milliseconds("delay", optarg);
            break;
        case OPT_STATUS_DELAY:
            options->status_delay = milliseconds("status-delay", optarg);
            break;
        case OPT_RETRY:
            options->retry = milliseconds("retry", optarg);
            break;
        case OPT_NO_STATUS:
            options->no_status = true;
            break;
        case OPT_USAGE:
            options->usage = true;
            break;
        case OPT_LOG:
            options->log = optarg;
            break;
        case OPT_HELP:
            fputs(usage, stdout);
            exit(0);
        default:
            fprintf(stderr, "graph-api: try --help\n");
            exit(2);
        }
    }

    if (optind < argc) {
        fprintf(stderr, "graph-api: unexpected \"%s\", try --help\n",
                argv[optind]);
        exit(2);
    }
}


static struct evconnlistener *
listen_on(struct event_base *base, const char *text)
{
    int                      len;
    struct sockaddr_un       un;
    struct sockaddr         *sa;
    struct sockaddr_storage  inet;

    if (strncmp(text, "unix:", 5) == 0) {
        memset(&un, 0, sizeof(un));
        un.sun_family = AF_UNIX;

        if (strlen(text + 5) >= sizeof(un.sun_path)) {
            errno = ENAMETOOLONG;
            return NULL;
        }

        strcpy(un.sun_path, text + 5);
        unlink(un.sun_path);

        sa = (struct sockaddr *) &un;
        len = sizeof(un);

    } else {
        len = sizeof(inet);

        if (evutil_parse_sockaddr_port(text, (struct sockaddr *) &inet, &len)
            != 0)
        {
            errno = EINVAL;
            return NULL;
        }

        sa = (struct sockaddr *) &inet;
    }

    return evconnlistener_new_bind(base, NULL, NULL,
               LEV_OPT_REUSEABLE|LEV_OPT_CLOSE_ON_FREE|LEV_OPT_CLOSE_ON_EXEC,
               4096, sa, len);
}


static void
stop(evutil_socket_t sig, short what, void *base)
{
    event_base_loopbreak(base);
}


int
main(int argc, char **argv)
{
    standin_t               standin;
    struct event           *term, *intr;
    struct evconnlistener  *listener;

    memset(&standin, 0, sizeof(standin));
    parse(&standin.options, argc, argv);

    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_ALL);

    if (standin.options.log) {
        standin.log = fopen(standin.options.log, "ae");

        if (standin.log == NULL) {
            fprintf(stderr, "graph-api: %s: %s\n", standin.options.log,
                    strerror(errno));
            return 1;
        }

        setvbuf(standin.log, NULL, _IOLBF, 0);
    }

    standin.base = must(event_base_new());
    standin.http = must(evhttp_new(standin.base));
    standin.records = records_create();
    standin.failures = failures_create();
    standin.client = client_create(standin.base);
    standin.webhook = webhook_create(&standin);
    standin.statuses = statuses_create(&standin);
    standin.templates = templates_create();
    standin.media = media_create();

    evhttp_set_max_body_size(standin.http, BODY_MAX);
    evhttp_set_gencb(standin.http, route, &standin);
    evhttp_set_allowed_methods(standin.http, EVHTTP_REQ_GET|EVHTTP_REQ_POST
                                             |EVHTTP_REQ_DELETE
                                             |EVHTTP_REQ_PUT);

    listener = listen_on(standin.base, standin.options.listen);

    if (listener == NULL
        || evhttp_bind_listener(standin.http, listener) == NULL)
    {
        fprintf(stderr, "graph-api: cannot listen on %s: %s\n",
                standin.options.listen, strerror(errno));
        return 1;
    }

    term = must(evsignal_new(standin.base, SIGTERM, stop, standin.base));
    intr = must(evsignal_new(standin.base, SIGINT, stop, standin.base));
    evsignal_add(term, NULL);
    evsignal_add(intr, NULL);

    event_base_dispatch(standin.base);

    if (strncmp(standin.options.listen, "unix:", 5) == 0) {
        unlink(standin.options.listen + 5);
    }

    /* the process ends here; what it held ends with it */

    return 0;
}
