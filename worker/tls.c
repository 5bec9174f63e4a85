#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include "worker/tls.h"


struct tls_s {
    SSL_CTX  *context;
    char     *name;         /* NULL: the host */
    unsigned  refs;
};


static int
tls_no_password(char *buf, int size, int writing, void *data)
{
    /* or OpenSSL would ask at the terminal */

    return -1;
}


static bool
tls_is_address(const char *name)
{
    unsigned char  address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, address) == 1
           || inet_pton(AF_INET6, name, address) == 1;
}


static void
tls_error(const char *before, const char *setting, const char *file,
    char *error, size_t size)
{
    const char     *why;
    unsigned long   code;

    /* the first one is the cause of the others */

    code = ERR_peek_error();
    why = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                 : ERR_reason_error_string(code);

    snprintf(error, size, "%s%s \"%s\" cannot be used: %s", before, setting,
             file, why ? why : "it is not PEM");
    ERR_clear_error();
}


static bool
tls_files(tls_t *tls, const tls_conf_t *conf, const char *before, char *error,
    size_t size)
{
    SSL_CTX  *context;

    context = tls->context;

    if ((conf->cert == NULL) != (conf->key == NULL)) {
        snprintf(error, size, "%scert and %skey go together", before, before);
        return false;
    }

    if (conf->unverified && (conf->ca || conf->name)) {
        snprintf(error, size, "%sca and %sname are of no use where the"
                 " certificate is not verified", before, before);
        return false;
    }

    if (conf->ca && SSL_CTX_load_verify_locations(context, conf->ca, NULL) != 1)
    {
        tls_error(before, "ca", conf->ca, error, size);
        return false;
    }

    if (conf->cert
        && SSL_CTX_use_certificate_chain_file(context, conf->cert) != 1)
    {
        tls_error(before, "cert", conf->cert, error, size);
        return false;
    }

    if (conf->key
        && SSL_CTX_use_PrivateKey_file(context, conf->key, SSL_FILETYPE_PEM)
           != 1)
    {
        tls_error(before, "key", conf->key, error, size);
        return false;
    }

    if (conf->ca == NULL && !conf->unverified
        && SSL_CTX_set_default_verify_paths(context) != 1)
    {
        snprintf(error, size, "the system's authorities cannot be read: give"
                 " %sca", before);
        return false;
    }

    return true;
}


tls_t *
tls_create(const tls_conf_t *conf, const char *before, char *error,
    size_t size)
{
    tls_t  *tls;

    tls = calloc(1, sizeof(tls_t));
    snprintf(error, size, "out of memory");

    if (tls == NULL) {
        return NULL;
    }

    tls->refs = 1;
    tls->name = conf->name ? strdup(conf->name) : NULL;
    tls->context = SSL_CTX_new(TLS_client_method());

    if ((tls->name == NULL && conf->name) || tls->context == NULL
        || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
    {
        tls_drop(tls);
        return NULL;
    }

    SSL_CTX_set_default_passwd_cb(tls->context, tls_no_password);
    SSL_CTX_set_verify(tls->context,
                       conf->unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       NULL);

    if (!tls_files(tls, conf, before, error, size)) {
        tls_drop(tls);
        return NULL;
    }

    return tls;
}


tls_t *
tls_hold(tls_t *tls)
{
    if (tls) {
        tls->refs++;
    }

    return tls;
}


void
tls_drop(tls_t *tls)
{
    if (tls == NULL || --tls->refs) {
        return;
    }

    SSL_CTX_free(tls->context);
    free(tls->name);
    free(tls);
}


SSL *
tls_open(const tls_t *tls, const char *host)
{
    int          ok;
    SSL         *ssl;
    const char  *name;

    ssl = SSL_new(tls->context);

    if (ssl == NULL) {
        return NULL;
    }

    name = tls->name ? tls->name : host;

    /* an address stands in a certificate as one, and is never sent as a name */

    if (tls_is_address(name)) {
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);

    } else {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = SSL_set1_host(ssl, name)
             && SSL_set_tlsext_host_name(ssl, name);
    }

    if (!ok) {
        SSL_free(ssl);
        return NULL;
    }

    SSL_set_connect_state(ssl);

    return ssl;
}


void
tls_why(const tls_t *tls, const SSL *ssl, const char *host,
    unsigned long code, char *text, size_t size)
{
    long         result;
    const char  *why;

    result = SSL_get_verify_result(ssl);

    if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE
        && (result == X509_V_ERR_HOSTNAME_MISMATCH
            || result == X509_V_ERR_IP_ADDRESS_MISMATCH))
    {
        snprintf(text, size, "its certificate is not for \"%s\"",
                 tls->name ? tls->name : host);
        return;
    }

    if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && result != X509_V_OK) {
        snprintf(text, size, "its certificate is not valid: %s",
                 X509_verify_cert_error_string(result));
        return;
    }

    why = code ? ERR_reason_error_string(code) : NULL;
    snprintf(text, size, "TLS failed: %s",
             why ? why : "the connection was closed");
}
