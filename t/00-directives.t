# Configurations: what nginx -t says to bad ones, and that good ones start.

use Test::Nginx::Socket;
use SluiceTest;

plan('no_plan');
setup();

run_tests();

__DATA__

=== TEST 1: unknown scheme
--- config
location /a { sluice_verify facebook secret=x; }
--- must_die
--- error_log
unknown scheme "facebook" in "sluice_verify"
--- no_error_log
[crit]


=== TEST 2: a scheme without a secret
--- config
location /a { sluice_verify meta; }
--- must_die
--- error_log
"sluice_verify meta" needs a "secret="
--- no_error_log
[crit]


=== TEST 3: an empty constant secret
--- config
location /a { sluice_verify meta secret=; }
--- must_die
--- error_log
empty "secret=" in "sluice_verify"
--- no_error_log
[crit]


=== TEST 4: a secret from a file that is not there
--- config
location /a { sluice_verify meta secret=file:/no/such/file; }
--- must_die
--- error_log
"secret=" in "sluice_verify": the file "/no/such/file" cannot be opened
--- no_error_log
[crit]


=== TEST 5: a secret from the environment that is not set
--- config
location /a { sluice_verify meta secret=env:SLUICE_NOT_SET; }
--- must_die
--- error_log
"secret=" in "sluice_verify": the environment variable "SLUICE_NOT_SET" is not set
--- no_error_log
[crit]


=== TEST 6: none takes no secret
--- config
location /a { sluice_verify none secret=x; }
--- must_die
--- error_log
invalid parameter "secret=" of "sluice_verify none"
--- no_error_log
[crit]


=== TEST 7: meta takes no algorithm=
--- config
location /a { sluice_verify meta secret=x algorithm=sha1; }
--- must_die
--- error_log
invalid parameter "algorithm=" of "sluice_verify meta"
--- no_error_log
[crit]


=== TEST 8: an algorithm that is not there
--- config
location /a { sluice_verify hmac secret=x algorithm=md5; }
--- must_die
--- error_log
invalid parameter "algorithm=" of "sluice_verify hmac"
--- no_error_log
[crit]


=== TEST 9: an encoding that is not there
--- config
location /a { sluice_verify hmac secret=x encoding=base32; }
--- must_die
--- error_log
invalid parameter "encoding="
--- no_error_log
[crit]


=== TEST 10: a tolerance that is no time
--- config
location /a { sluice_verify stripe secret=x tolerance=soon; }
--- must_die
--- error_log
invalid parameter "tolerance="
--- no_error_log
[crit]


=== TEST 11: nine secrets
--- config
location /a { sluice_verify hmac secret=s0 secret=s1 secret=s2 secret=s3 secret=s4 secret=s5 secret=s6 secret=s7 secret=s8; }
--- must_die
--- error_log
takes at most 8 secrets
--- no_error_log
[crit]


=== TEST 12: twice in one location
--- config
location /a { sluice_verify none; sluice_verify none; }
--- must_die
--- error_log
"sluice_verify" directive is duplicate
--- no_error_log
[crit]


=== TEST 13: sluice_enqueue without sluice_verify
--- config
location /a { sluice_enqueue q; }
--- must_die
--- error_log
has no "sluice_verify": to take requests from anyone say "sluice_verify none"
--- no_error_log
[crit]


=== TEST 14: return beside sluice_verify
--- config
location /a { sluice_verify api_key secret=k; return 200 ok; }
--- must_die
--- error_log
"return" beside "sluice_verify" in "/a"
--- no_error_log
[crit]


=== TEST 15: a conditional return beside sluice_verify
--- config
location /a { sluice_verify api_key secret=k; if ($arg_x) { return 204; } }
--- must_die
--- error_log
"return" beside "sluice_verify" in "/a"
--- no_error_log
[crit]


=== TEST 16: return where sluice_verify is inherited
--- config
sluice_verify api_key secret=k; location /a { return 200 ok; }
--- must_die
--- error_log
"return" beside "sluice_verify" in "/a"
--- no_error_log
[crit]


=== TEST 17: a status that is no refusal
--- config
sluice_verify_status 200; location /a { }
--- must_die
--- error_log
value must be between 400 and 599
--- no_error_log
[crit]


=== TEST 18: a limit without a zone
--- config
location /a { sluice_limit rate=1r/s; }
--- must_die
--- error_log
"sluice_limit" directive needs a "zone="
--- no_error_log
[crit]


=== TEST 19: a limit without a rate
--- http_config
sluice_limit_zone $arg_k zone=z:64k;
--- config
location /a { sluice_limit zone=z; }
--- must_die
--- error_log
"sluice_limit" directive needs a "rate="
--- no_error_log
[crit]


=== TEST 20: an unknown zone
--- config
location /a { sluice_limit zone=z rate=1r/s; }
--- must_die
--- error_log
unknown zone "z" in "sluice_limit"
--- no_error_log
[crit]


=== TEST 21: a bad rate
--- http_config
sluice_limit_zone $arg_k zone=z:64k;
--- config
location /a { sluice_limit zone=z rate=fast; }
--- must_die
--- error_log
invalid rate "fast" in "sluice_limit"
--- no_error_log
[crit]


=== TEST 22: a bad burst
--- http_config
sluice_limit_zone $arg_k zone=z:64k;
--- config
location /a { sluice_limit zone=z rate=1r/s burst=-1; }
--- must_die
--- error_log
invalid number in "burst=-1" of "sluice_limit"
--- no_error_log
[crit]


=== TEST 23: a cost of nothing
--- http_config
sluice_limit_zone $arg_k zone=z:64k;
--- config
location /a { sluice_limit zone=z rate=1r/s cost=0; }
--- must_die
--- error_log
invalid number in "cost=0" of "sluice_limit"
--- no_error_log
[crit]


=== TEST 24: an unknown parameter of sluice_limit
--- http_config
sluice_limit_zone $arg_k zone=z:64k;
--- config
location /a { sluice_limit zone=z rate=1r/s nodelay; }
--- must_die
--- error_log
invalid parameter "nodelay" of "sluice_limit"
--- no_error_log
[crit]


=== TEST 25: one zone twice
--- http_config
sluice_limit_zone $arg_k zone=z:64k;
--- config
location /a { sluice_limit zone=z rate=1r/s; sluice_limit zone=z rate=9r/m; }
--- must_die
--- error_log
zone "z" is used twice
--- no_error_log
[crit]


=== TEST 26: a zone too small
--- http_config
sluice_limit_zone $arg_k zone=z:4k;
--- config

--- must_die
--- error_log
zone "z" is too small
--- no_error_log
[crit]


=== TEST 27: a zone without a size
--- http_config
sluice_limit_zone $arg_k zone=z;
--- config

--- must_die
--- error_log
invalid zone "zone=z": it must be zone=name:size
--- no_error_log
[crit]


=== TEST 28: a zone of another key
--- http_config
sluice_limit_zone $arg_k zone=z:64k; sluice_limit_zone $arg_l zone=z:64k;
--- config

--- must_die
--- error_log
zone "z" is already bound to key "$arg_k"
--- no_error_log
[crit]


=== TEST 29: a pointer without a slash
--- config
location /a { sluice_json $x a/b; }
--- must_die
--- error_log
invalid JSON pointer "a/b" in "sluice_json"
--- no_error_log
[crit]


=== TEST 30: a pointer with a bad escape
--- config
location /a { sluice_json $x /a~2; }
--- must_die
--- error_log
invalid JSON pointer "/a~2" in "sluice_json"
--- no_error_log
[crit]


=== TEST 31: no variable
--- config
location /a { sluice_json x /a; }
--- must_die
--- error_log
invalid variable name "x" in "sluice_json"
--- no_error_log
[crit]


=== TEST 32: required misspelt
--- config
location /a { sluice_json $x /a require; }
--- must_die
--- error_log
invalid parameter "require" of "sluice_json"
--- no_error_log
[crit]


=== TEST 33: a variable of NGINX
--- config
location /a { sluice_json $uri /a; }
--- must_die
--- error_log
the duplicate "uri" variable
--- no_error_log
[crit]


=== TEST 34: one variable twice
--- config
location /a { sluice_json $x /a; sluice_json $x /b; }
--- must_die
--- error_log
duplicate "sluice_json $x"
--- no_error_log
[crit]


=== TEST 35: a bad queue
--- config
location /a { sluice_verify none; sluice_enqueue a:b; }
--- must_die
--- error_log
invalid queue "a:b" in "sluice_enqueue"
--- no_error_log
[crit]


=== TEST 36: an unknown Redis
--- config
location /a { sluice_verify none; sluice_enqueue q redis=other; }
--- must_die
--- error_log
needs a "sluice_redis" with the name "other"
--- no_error_log
[crit]


=== TEST 37: a bad tenant
--- config
location /a { sluice_verify none; sluice_enqueue q tenant=a/b; }
--- must_die
--- error_log
invalid value in "tenant=a/b" of "sluice_enqueue"
--- no_error_log
[crit]


=== TEST 38: tenant and prefix
--- config
location /a { sluice_verify none; sluice_enqueue q tenant=a prefix=b; }
--- must_die
--- error_log
takes "tenant=" or "prefix=", not both
--- no_error_log
[crit]


=== TEST 39: a bad major
--- config
location /a { sluice_verify none; sluice_enqueue q bullmq=4; }
--- must_die
--- error_log
invalid value in "bullmq=4" of "sluice_enqueue": it is BullMQ's major version
--- no_error_log
[crit]


=== TEST 40: a bad priority
--- config
location /a { sluice_verify none; sluice_enqueue q priority=urgent; }
--- must_die
--- error_log
invalid value in "priority=urgent"
--- no_error_log
[crit]


=== TEST 41: a priority too large
--- config
location /a { sluice_verify none; sluice_enqueue q priority=2097152; }
--- must_die
--- error_log
invalid value in "priority=2097152"
--- no_error_log
[crit]


=== TEST 42: a bad delay
--- config
location /a { sluice_verify none; sluice_enqueue q delay=soon; }
--- must_die
--- error_log
invalid value in "delay=soon"
--- no_error_log
[crit]


=== TEST 43: bad attempts
--- config
location /a { sluice_verify none; sluice_enqueue q attempts=many; }
--- must_die
--- error_log
invalid value in "attempts=many"
--- no_error_log
[crit]


=== TEST 44: a bad backoff
--- config
location /a { sluice_verify none; sluice_enqueue q backoff=5s; }
--- must_die
--- error_log
it is fixed:TIME or exponential:TIME
--- no_error_log
[crit]


=== TEST 45: a bad envelope
--- config
location /a { sluice_verify none; sluice_enqueue q envelope=xml; }
--- must_die
--- error_log
it is cloudevents or raw
--- no_error_log
[crit]


=== TEST 46: an empty header name
--- config
location /a { sluice_verify none; sluice_enqueue q headers=a,,b; }
--- must_die
--- error_log
it is a list of names
--- no_error_log
[crit]


=== TEST 47: an empty value
--- config
location /a { sluice_verify none; sluice_enqueue q name=; }
--- must_die
--- error_log
invalid value in "name="
--- no_error_log
[crit]


=== TEST 48: a parameter twice
--- config
location /a { sluice_verify none; sluice_enqueue q name=a name=b; }
--- must_die
--- error_log
duplicate parameter "name=b" of "sluice_enqueue"
--- no_error_log
[crit]


=== TEST 49: redact= that is no pointer
--- config
location /a { sluice_verify none; sluice_enqueue q redact=/a redact=b; }
--- must_die
--- error_log
invalid value in "redact=b" of "sluice_enqueue": must start with a slash
--- no_error_log
[crit]


=== TEST 50: sluice_enqueue in a server
--- config
sluice_enqueue q;
--- must_die
--- error_log
"sluice_enqueue" directive is not allowed here
--- no_error_log
[crit]


=== TEST 51: a status of sluice_respond
--- config
location /a { sluice_respond 302 x; }
--- must_die
--- error_log
invalid status "302" of "sluice_respond"
--- no_error_log
[crit]


=== TEST 52: a variable of sluice_respond that is none
--- config
location /a { sluice_respond 200 'a $'; }
--- must_die
--- error_log
invalid variable in "a $" of "sluice_respond"
--- no_error_log
[crit]


=== TEST 53: an unknown variable of sluice_respond
--- config
location /a { sluice_respond 200 '$nowhere'; }
--- must_die
--- error_log
unknown "nowhere" variable
--- no_error_log
[crit]


=== TEST 55: a scheme of URL that there is not
--- http_config
sluice_redis redis+proxy://localhost/main;
--- config

--- must_die
--- error_log
invalid URL of "sluice_redis"
--- no_error_log
[crit]


=== TEST 56: no URL
--- http_config
sluice_redis localhost:6379;
--- config

--- must_die
--- error_log
invalid URL of "sluice_redis"
--- no_error_log
[crit]


=== TEST 57: two of one name
--- http_config
sluice_redis unix:/a; sluice_redis unix:/b;
--- config

--- must_die
--- error_log
duplicate "sluice_redis" with the name "default"
--- no_error_log
[crit]


=== TEST 58: a bad timeout
--- http_config
sluice_redis unix:/a timeout=0;
--- config

--- must_die
--- error_log
invalid parameter "timeout=" of "sluice_redis"
--- no_error_log
[crit]


=== TEST 59: a parameter that there is not, max_bytes=
--- http_config
sluice_redis unix:/a max_bytes=1m;
--- config

--- must_die
--- error_log
invalid parameter "max_bytes=" of "sluice_redis"
--- no_error_log
[crit]


=== TEST 60: a password file that is not there
--- http_config
sluice_redis unix:/a password_file=nowhere;
--- config

--- must_die
--- error_log
nowhere" failed (2: No such file or directory)
--- no_error_log
[crit]


=== TEST 61: no directive of ours
--- config
location /a { sluice_nothing meta; }
--- must_die
--- error_log
unknown directive "sluice_nothing"
--- no_error_log
[crit]


=== TEST 62: all of sluice_redis
--- http_config
sluice_redis unix:/tmp/nowhere.sock;
sluice_redis redis://user:pa%20ss@127.0.0.1:6399/3 name=b timeout=300ms;
sluice_redis redis://[::1]:6399 name=c timeout=2s;
--- config

location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- no_error_log
[emerg]
[warn]


=== TEST 63: a host that cannot be resolved does not stop the start
--- http_config
sluice_redis redis://no-such-host.invalid:6379 timeout=1s;
--- config

location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- error_log
"sluice_redis" no-such-host.invalid:6379: host not found
--- no_error_log
[emerg]


=== TEST 64: all of sluice_enqueue
--- config
location /a { sluice_verify none; sluice_enqueue q-1.x_Y prefix=bull:x bullmq=5 name=n id=m-$request_id priority=low delay=5s attempts=4 backoff=exponential:1s envelope=raw headers=a,B-c; }
location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- no_error_log
[emerg]
[warn]


=== TEST 65: backoff= before attempts=
--- config
location /a { sluice_verify none; sluice_enqueue q backoff=fixed:500 attempts=4; }
location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- no_error_log
[emerg]
[warn]


=== TEST 66: all schemes, inherited
--- config
location /in/ { sluice_verify meta secret=a secret=$http_x verify_token=t; location /in/a { sluice_enqueue q; } location /in/b { sluice_verify hmac secret=x algorithm=sha512 encoding=base64url prefix=v1= header=X-Sig; sluice_enqueue q; } location /in/c { sluice_verify api_key secret=x header=X-Key; sluice_enqueue q; } location /in/d { sluice_verify none; return 200; } }
location = /ok { sluice_verify none; return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- no_error_log
[emerg]
[warn]


=== TEST 67: return of an error is no way around
--- config
location /a { sluice_verify api_key secret=k; if ($arg_bad) { return 403; } sluice_respond 200 x; }
location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- no_error_log
[emerg]
[warn]


=== TEST 68: all of sluice_limit
--- http_config
sluice_limit_zone $arg_a zone=l1:64k; sluice_limit_zone $arg_b$uri zone=l2:64k; map $arg_r $rate { default 5r/s; }
--- config
location /a { sluice_limit zone=l2 rate=$rate burst=$arg_burst cost=$arg_cost; sluice_limit zone=l1 rate=10r/5s burst=7 cost=2 early; sluice_limit_status 503; }
location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- no_error_log
[emerg]
[warn]


=== TEST 69: a body limit too small for Meta is warned about
--- config
location /a { client_max_body_size 1m; sluice_verify meta secret=x; sluice_enqueue q; }
location = /ok { return 200 ok; }
--- request
GET /ok
--- response_body chomp
ok
--- error_log
is below the 3m that the scheme "meta" may send
--- no_error_log
[emerg]


=== TEST 81: sluice_dedupe without a job
--- config
location /a { sluice_verify none; sluice_dedupe $arg_a; }
--- must_die
--- error_log
"sluice_dedupe" needs "sluice_enqueue" in its location
--- no_error_log
[crit]


=== TEST 82: a key that is always the same
--- config
location /a { sluice_verify none; sluice_enqueue q; sluice_dedupe a; }
--- must_die
--- error_log
the key "a" of "sluice_dedupe" is constant
--- no_error_log
[crit]


=== TEST 83: ttl that is no time
--- config
location /a { sluice_verify none; sluice_enqueue q; sluice_dedupe $arg_a ttl=0; }
--- must_die
--- error_log
invalid parameter "ttl=0" of "sluice_dedupe": it is ttl= and a time
--- no_error_log
[crit]


=== TEST 84: an event's id without a scheme
--- config
location /a { sluice_verify none; sluice_enqueue q; sluice_dedupe event; }
--- must_die
--- error_log
"sluice_dedupe event" needs a scheme of "sluice_verify"
--- no_error_log
[crit]


=== TEST 85: sluice_split of another form
--- config
location /a { sluice_verify none; sluice_enqueue q; sluice_split slack; }
--- must_die
--- error_log
invalid form "slack" of "sluice_split": there is "meta"
--- no_error_log
[crit]


=== TEST 86: a quarantine that is no queue
--- config
location /a { sluice_verify none; sluice_enqueue q; sluice_split meta quarantine=a:b; }
--- must_die
--- error_log
invalid parameter "quarantine=a:b" of "sluice_split"
--- no_error_log
[crit]


=== TEST 87: ids beside sluice_split
--- config
location /a { sluice_verify none; sluice_enqueue q id=$arg_a; sluice_split meta; }
--- must_die
--- error_log
"id=" of "sluice_enqueue" beside "sluice_split"
--- no_error_log
[crit]


=== TEST 88: a key of its own beside sluice_split
--- config
location /a { sluice_verify none; sluice_enqueue q; sluice_split meta; sluice_dedupe $arg_a; }
--- must_die
--- error_log
"sluice_dedupe" with a key of its own beside "sluice_split"
--- no_error_log
[crit]


=== TEST 89: sluice_split twice
--- config
location /a { sluice_verify none; sluice_enqueue q; sluice_split meta; sluice_split meta; }
--- must_die
--- error_log
"sluice_split" directive is duplicate
--- no_error_log
[crit]


=== TEST 90: redact= beside sluice_split
--- config
location /a { sluice_verify none; sluice_enqueue q redact=/a; sluice_split meta; }
--- must_die
--- error_log
"redact=" of "sluice_enqueue" beside "sluice_split"
--- no_error_log
[crit]


=== TEST 91: too many redact=
--- config
location /a { sluice_verify none; sluice_enqueue q redact=/a redact=/b redact=/c redact=/d redact=/e redact=/f redact=/g redact=/h redact=/i; }
--- must_die
--- error_log
invalid value in "redact=/i" of "sluice_enqueue": there are more than 8
--- no_error_log
[crit]


=== TEST 92: a zone with a name that is none
--- http_config
sluice_limit_zone $arg_k zone=a/b:64k;
--- config
location /a { return 204; }
--- must_die
--- error_log
invalid zone "zone=a/b:64k": it must be zone=name:size
--- no_error_log
[crit]


=== TEST 93: a zone with a size that is none
--- http_config
sluice_limit_zone $arg_k zone=z:64x;
--- config
location /a { return 204; }
--- must_die
--- error_log
invalid zone "zone=z:64x": it must be zone=name:size
--- no_error_log
[crit]


=== TEST 94: a tenant table without a size
--- http_config
sluice_tenants zone=z;
--- config
location /a { return 204; }
--- must_die
--- error_log
invalid zone "zone=z": it must be zone=name:size
--- no_error_log
[crit]


=== TEST 95: a tenant table too small
--- http_config
sluice_tenants zone=z:32k;
--- config
location /a { return 204; }
--- must_die
--- error_log
zone "z" is too small
--- no_error_log
[crit]


=== TEST 96: bytes could be moved from the id to the body
--- config
location /a { sluice_verify hmac secret=k id=x-id "signed={id}{body}"; proxy_pass http://127.0.0.1:1; }
--- must_die
--- error_log
"sluice_verify hmac": "signed" does not tell where {id} ends: bytes could be moved to the part behind it
--- no_error_log
[crit]
