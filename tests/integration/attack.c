/*
 * Attacks a running broker with tokens: one CONNECT each, or one attach each through a gateway.
 *
 * attack [-s] PORT FOLDER [GATEWAY]: in FOLDER are ec.key, rsa.key and other.key of the devices
 * ec-device, rsa-device and other-device of projects/attack/locations/us-central1/registries/reg.
 * Writes every signature sent into FOLDER/sent, for a search of the broker's log. GATEWAY is a
 * gateway that wants tokens of its devices; its key is gateway.key. -s is for a broker with
 * plugin_opt_strict, and leaves out the tokens cut off and changed. Exit status 0 when the good
 * tokens were taken and all others answered with CONNACK 5, or with an error on the gateway's
 * errors topic.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/auto.h"
#include "broker-token.h"
#include "raw-mqtt.h"

#define REGISTRY "projects/attack/locations/us-central1/registries/reg"
#define DEVICES	 REGISTRY "/devices/"

#define ACCEPTED       0
#define NOT_AUTHORISED 5

enum device { EC, RSA_, OTHER, N_DEVICES };

static const struct {
	const char *id, *key, *header;
} devices[] = {
	[EC] = {"ec-device", "ec.key", "{\"alg\":\"ES256\",\"typ\":\"JWT\"}"},
	[RSA_] = {"rsa-device", "rsa.key", "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"},
	[OTHER] = {"other-device", "other.key", "{\"alg\":\"ES256\",\"typ\":\"JWT\"}"},
};

static EVP_PKEY *keys[N_DEVICES];
static uint16_t port;
static bool strict;
static FILE *sent;
static struct raw_gateway *gateway; /* NULL: tokens are tried by CONNECT */

/* ---- what is done to a good token ---- */

static char *
edited(char *token, const char *before, const char *after)
{
	char *out;

	if (asprintf(&out, "%s%s%s", before, token, after) < 0)
		fail("memory ran out");
	free(token);
	return out;
}

/* Puts text in at offset. */
static char *
inserted(char *token, size_t offset, const char *text)
{
	char *out;

	if (asprintf(&out, "%.*s%s%s", (int)offset, token, text, token + offset) < 0)
		fail("memory ran out");
	free(token);
	return out;
}

static size_t
dot(const char *token, int nth)
{
	const char *at = token;

	while (nth--)
		at = strchr(at, '.') + 1;
	return (size_t)(at - token) - 1;
}

/* Adds the padding that a part needs; nth counts from 1. */
static char *
padded(char *t, int nth)
{
	size_t start = nth == 1 ? 0 : dot(t, nth - 1) + 1, len = strcspn(t + start, ".");

	return inserted(t, start + len, len % 4 == 2 ? "==" : len % 4 == 3 ? "=" : "");
}

static char *
pad_end(char *t)
{
	return edited(t, "", "==");
}
static char *
pad_end_short(char *t)
{
	return edited(t, "", "=");
}
static char *
pad_end_long(char *t)
{
	return edited(t, "", "====");
}
static char *
pad_header(char *t)
{
	return inserted(t, dot(t, 1), "=");
}
static char *
pad_claims(char *t)
{
	return inserted(t, dot(t, 2), "=");
}
static char *
newline_after(char *t)
{
	return edited(t, "", "\n");
}
static char *
space_before(char *t)
{
	return edited(t, " ", "");
}
static char *
bearer(char *t)
{
	return edited(t, "Bearer ", "");
}
static char *
dot_after(char *t)
{
	return edited(t, "", ".");
}
static char *
fourth_part(char *t)
{
	return edited(t, "", ".AAAA");
}
static char *
five_parts(char *t)
{
	return edited(t, "AAAA.AAAA.", "");
}
static char *
junk_after(char *t)
{
	return edited(t, "", "AAAA");
}
static char *
space_inside(char *t)
{
	return inserted(t, 10, " ");
}
static char *
newline_inside(char *t)
{
	return inserted(t, dot(t, 2) + 20, "\n");
}
static char *
high_byte_inside(char *t)
{
	return inserted(t, 10, "\xc3\xa9");
}

static char *
twice(char *t)
{
	AUTO(auto_free) char *copy = strdup(t);

	return edited(t, "", copy);
}

static char *
without_signature(char *t)
{
	t[dot(t, 2)] = '\0';
	return t;
}

static char *
empty_signature(char *t)
{
	t[dot(t, 2) + 1] = '\0';
	return t;
}

static char *
parts_swapped(char *t)
{
	char *out;
	size_t a = dot(t, 1), b = dot(t, 2);

	if (asprintf(&out, "%.*s.%.*s.%s", (int)(b - a - 1), t + a + 1, (int)a, t, t + b + 1) < 0)
		fail("memory ran out");
	free(t);
	return out;
}

/* The last character of 64 bytes carries two bits and four zeroes: sets one of those. */
static char *
loose_bits(char *t)
{
	t[strlen(t) - 1]++;
	return t;
}

static char *
pad_loose_bits(char *t)
{
	return pad_end(loose_bits(t));
}

/* base64 instead of base64url; the signature has one of these characters all but once in 10,000. */
static char *
plain_base64(char *t)
{
	bool changed = false;

	for (char *c = t; *c; c++) {
		if (*c == '-' || *c == '_')
			changed = true;
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	}
	return changed ? t : edited(t, "", "+/+/");
}

static char *
replaced(char *t, const char *text)
{
	free(t);
	t = strdup(text);
	if (!t)
		fail("memory ran out");
	return t;
}

static char *
nothing(char *t)
{
	return replaced(t, "");
}
static char *
one_dot(char *t)
{
	return replaced(t, ".");
}
static char *
two_dots(char *t)
{
	return replaced(t, "..");
}
static char *
letters(char *t)
{
	return replaced(t, "a.b.c");
}
static char *
formats(char *t)
{
	return replaced(t, "%s%s%s%n.%s%n.%n");
}

static char *
filled(char *t, char with)
{
	t = replaced(t, "");
	t = realloc(t, 60 * 1024 + 1);
	if (!t)
		fail("memory ran out");
	memset(t, with, 60 * 1024);
	t[60 * 1024] = '\0';
	return t;
}

static char *
long_letters(char *t)
{
	return filled(t, 'A');
}
static char *
long_dots(char *t)
{
	return filled(t, '.');
}
static char *
long_tail(char *t)
{
	AUTO(auto_free) char *tail = filled(NULL, 'A');

	return edited(t, "", tail);
}

static char *
signature_of(char *t, const unsigned char *signature, size_t len)
{
	char *out;

	t[dot(t, 2)] = '\0';
	out = token_with(t, signature, len);
	free(t);
	return out;
}

static char *
zero_signature(char *t)
{
	return signature_of(t, (unsigned char[64]){0}, 64);
}

/* r = s = the order of P-256 */
static char *
order_signature(char *t)
{
	static const unsigned char n[] = "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff"
					 "\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2"
					 "\xfc\x63\x25\x51";
	unsigned char both[64];

	memcpy(both, n, 32);
	memcpy(both + 32, n, 32);
	return signature_of(t, both, 64);
}

static char *
one_signature(char *t)
{
	return signature_of(t, (unsigned char[64]){[31] = 1, [63] = 1}, 64);
}

static char *
maced_by(char *t, bool der, size_t cut)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *secret, *out;
	long len;

	t[dot(t, 2)] = '\0';
	if (!bio || (der ? i2d_PUBKEY_bio(bio, keys[RSA_])
			 : PEM_write_bio_PUBKEY(bio, keys[RSA_])) != 1)
		fail("cannot write the public key");
	len = BIO_get_mem_data(bio, &secret);
	out = token_maced(t, secret, (size_t)len - cut);
	free(t);
	return out;
}

static char *
mac_pem(char *t)
{
	return maced_by(t, false, 0);
}
static char *
mac_pem_bare(char *t)
{
	return maced_by(t, false, 1);
}
static char *
mac_der(char *t)
{
	return maced_by(t, true, 0);
}

static char *
mac_empty(char *t)
{
	char *out;

	t[dot(t, 2)] = '\0';
	out = token_maced(t, "", 0);
	free(t);
	return out;
}

/* ---- the table ---- */

#define TIMES	     "\"iat\":{-10},\"exp\":{3000}"
#define AUD	     "\"aud\":\"attack\""
#define GOOD	     "{" TIMES "," AUD "}"
#define HEADER(text) "{\"alg\":\"ES256\",\"typ\":\"JWT\"," text "}"

/*
 * name       as a sentence's subject
 * as         who it says it is
 * header     NULL: the device's; {N} is now + N
 * claims     NULL: good ones
 * signer     the key
 * client_id  NULL: that of `as`
 * good       must be taken
 */
struct row {
	const char *name;
	enum device as;
	const char *header;
	const char *claims;
	enum device signer;
	enum signing how;
	bool padded; /* each part has its padding, and the signature covers it */
	char *(*then)(char *token);
	const char *client_id;
	bool keep_session;
	bool good;
	bool lenient; /* good unless plugin_opt_strict is true */
};

static const struct row rows[] = {
	/* what must be taken, so that the refusals below mean something */
	{"an EC device's token", EC, .signer = EC, .good = true},
	{"an RSA device's token", RSA_, .signer = RSA_, .good = true},
	{"the other device's token", OTHER, .signer = OTHER, .good = true},
	{"a header with a kid", EC, HEADER("\"kid\":\"k\""), .signer = EC, .good = true},
	{"a claim more", EC, NULL, "{" TIMES "," AUD ",\"nbf\":1,\"x\":[]}", EC, .good = true},
	{"expired within the skew", EC, NULL, "{\"iat\":{-900},\"exp\":{-500}," AUD "}", EC,
		.good = true},
	{"issued ahead within the skew", EC, NULL, "{\"iat\":{500},\"exp\":{900}," AUD "}", EC,
		.good = true},
	{"24 hours", EC, NULL, "{\"iat\":{0},\"exp\":{86400}," AUD "}", EC, .good = true},
	{"times as strings, as the C sample", EC, NULL,
		"{\"aud\":\"attack\",\"exp\":\"{3600}\",\"iat\":\"{0}\"}", EC, .lenient = true},
	{"iat a string", EC, NULL, "{\"iat\":\"{-10}\",\"exp\":{3000}," AUD "}", EC,
		.lenient = true},
	{"exp a string", EC, NULL, "{\"iat\":{-10},\"exp\":\"{3000}\"," AUD "}", EC,
		.lenient = true},
	{"times with fractions", EC, NULL, "{\"iat\":{-10}.403285,\"exp\":{3000}.5," AUD "}", EC,
		.good = true},
	{"exp at iat, as the Go sample", EC, NULL, "{\"aud\":\"attack\",\"exp\":{0},\"iat\":{0}}",
		EC, .lenient = true},
	{"exp at iat ahead within the skew", EC, NULL, "{\"iat\":{30},\"exp\":{30}," AUD "}", EC,
		.lenient = true},
	{"a padded token", EC, .signer = EC, .then = pad_end, .lenient = true},
	{"all parts padded, as the embedded C SDK", EC, "{\"alg\": \"ES256\"}",
		"{\"iat\":{0},\"exp\":{3600}," AUD "}", EC, .padded = true, .lenient = true},
	{"all parts padded, as MicroPython", RSA_, "{\"typ\": \"JWT\", \"alg\": \"RS256\"}",
		"{\"exp\": {3600}, \"aud\": \"attack\", \"iat\": {0}}", RSA_, .padded = true,
		.lenient = true},

	/* algorithms */
	{"alg none", EC, "{\"alg\":\"none\"}", .signer = EC, .how = SIGN_NOT},
	{"alg None", EC, "{\"alg\":\"None\"}", .signer = EC, .how = SIGN_NOT},
	{"alg NONE, two parts", EC, "{\"alg\":\"NONE\"}", .signer = EC, .then = without_signature},
	{"alg none with a good signature", EC, "{\"alg\":\"none\"}", .signer = EC},
	{"HS256 with the public key's PEM", RSA_, "{\"alg\":\"HS256\"}", .then = mac_pem},
	{"HS256 with the PEM less its newline", RSA_, "{\"alg\":\"HS256\"}", .then = mac_pem_bare},
	{"HS256 with the public key's DER", RSA_, "{\"alg\":\"HS256\"}", .then = mac_der},
	{"HS256 with no key", RSA_, "{\"alg\":\"HS256\"}", .then = mac_empty},
	{"RS256's name on a MAC", RSA_, "{\"alg\":\"RS256\"}", .then = mac_pem},
	{"ES256 named, RSA signed", RSA_, "{\"alg\":\"ES256\"}", .signer = RSA_},
	{"RS256 named, EC signed", EC, "{\"alg\":\"RS256\"}", .signer = EC},
	{"PS256", RSA_, "{\"alg\":\"PS256\"}", .signer = RSA_, .how = SIGN_AS_PSS},
	{"RS256 named, PSS signed", RSA_, .signer = RSA_, .how = SIGN_AS_PSS},
	{"RS512", RSA_, "{\"alg\":\"RS512\"}", .signer = RSA_},
	{"ES384 on a P-256 key", EC, "{\"alg\":\"ES384\"}", .signer = EC},
	{"es256 in small letters", EC, "{\"alg\":\"es256\"}", .signer = EC},
	{"no alg", EC, "{\"typ\":\"JWT\"}", .signer = EC},
	{"alg a number", EC, "{\"alg\":256}", .signer = EC},
	{"alg an array", EC, "{\"alg\":[\"ES256\"]}", .signer = EC},
	{"alg twice", EC, "{\"alg\":\"none\",\"alg\":\"ES256\"}", .signer = EC},
	{"crit", EC, HEADER("\"crit\":[\"exp\"]"), .signer = EC},
	{"b64 false and crit", EC, HEADER("\"b64\":false,\"crit\":[\"b64\"]"), .signer = EC},
	{"header an array", EC, "[\"ES256\"]", .signer = EC},
	{"header a string", EC, "\"ES256\"", .signer = EC},
	{"header empty", EC, "", .signer = EC},
	{"header no JSON", EC, "alg=ES256", .signer = EC},
	{"header with a tail", EC, "{\"alg\":\"ES256\"}{}", .signer = EC},

	/* keys */
	{"another device's token", EC, .signer = OTHER},
	{"the other way round", OTHER, .signer = EC},
	{"an RSA token for the EC device", EC, "{\"alg\":\"RS256\"}", .signer = RSA_},
	{"a key in the header", EC,
		HEADER("\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}"),
		.signer = OTHER},
	{"a key by URL", EC, HEADER("\"jku\":\"http://127.0.0.1/\""), .signer = OTHER},
	{"another device's id in the claims", EC, NULL, "{" TIMES "," AUD ",\"sub\":\"ec-device\"}",
		OTHER},
	{"ECDSA as DER", EC, .signer = EC, .how = SIGN_AS_DER},
	{"a signature of zeroes", EC, .signer = EC, .then = zero_signature},
	{"a signature of ones", EC, .signer = EC, .then = one_signature},
	{"a signature of the group's order", EC, .signer = EC, .then = order_signature},
	{"an empty signature", EC, .signer = EC, .then = empty_signature},
	{"an RSA signature too short", RSA_, .signer = RSA_, .then = zero_signature},

	/* claims */
	{"another project's aud", EC, NULL, "{" TIMES ",\"aud\":\"attack2\"}", EC},
	{"aud with something behind it", EC, NULL, "{" TIMES ",\"aud\":\"attack\\u0000x\"}", EC},
	{"aud in capitals", EC, NULL, "{" TIMES ",\"aud\":\"ATTACK\"}", EC},
	{"aud an array", EC, NULL, "{" TIMES ",\"aud\":[\"attack\"]}", EC},
	{"aud empty", EC, NULL, "{" TIMES ",\"aud\":\"\"}", EC},
	{"aud null", EC, NULL, "{" TIMES ",\"aud\":null}", EC},
	{"aud a number", EC, NULL, "{" TIMES ",\"aud\":1}", EC},
	{"aud an object", EC, NULL, "{" TIMES ",\"aud\":{}}", EC},
	{"no aud", EC, NULL, "{" TIMES "}", EC},
	{"no iat", EC, NULL, "{\"exp\":{3000}," AUD "}", EC},
	{"no exp", EC, NULL, "{\"iat\":{-10}," AUD "}", EC},
	{"no claims", EC, NULL, "{}", EC},
	{"expired", EC, NULL, "{\"iat\":{-3600},\"exp\":{-605}," AUD "}", EC},
	{"expired long ago", RSA_, NULL, "{\"iat\":1,\"exp\":2," AUD "}", RSA_},
	{"not yet valid", EC, NULL, "{\"iat\":{660},\"exp\":{3600}," AUD "}", EC},
	{"25 hours", EC, NULL, "{\"iat\":{-10},\"exp\":{89990}," AUD "}", EC},
	{"24 hours and a second", EC, NULL, "{\"iat\":{0},\"exp\":{86401}," AUD "}", EC},
	{"for ever", EC, NULL, "{\"iat\":{0},\"exp\":9223372036854775807," AUD "}", EC},
	{"beyond an integer", EC, NULL, "{\"iat\":{0},\"exp\":9223372036854775808," AUD "}", EC},
	{"from the beginning", EC, NULL, "{\"iat\":-9223372036854775808,\"exp\":{60}," AUD "}", EC},
	{"a difference that overflows", EC, NULL,
		"{\"iat\":-9223372036854775808,\"exp\":9223372036854775807," AUD "}", EC},
	{"exp before iat", EC, NULL, "{\"iat\":{60},\"exp\":{30}," AUD "}", EC},
	{"exp at iat, expired", EC, NULL, "{\"iat\":{-605},\"exp\":{-605}," AUD "}", EC},
	{"exp at iat, not yet valid", EC, NULL, "{\"iat\":{660},\"exp\":{660}," AUD "}", EC},
	{"exp a string with a sign", EC, NULL, "{\"iat\":{-10},\"exp\":\"+{3000}\"," AUD "}", EC},
	{"exp a string with a space", EC, NULL, "{\"iat\":{-10},\"exp\":\" {3000}\"," AUD "}", EC},
	{"exp a string with a fraction", EC, NULL, "{\"iat\":{-10},\"exp\":\"{3000}.5\"," AUD "}",
		EC},
	{"exp a string with an exponent", EC, NULL, "{\"iat\":{-10},\"exp\":\"18e8\"," AUD "}", EC},
	{"exp an empty string", EC, NULL, "{\"iat\":{-10},\"exp\":\"\"," AUD "}", EC},
	{"exp a string with a NUL", EC, NULL, "{\"iat\":{-10},\"exp\":\"{3000}\\u0000\"," AUD "}",
		EC},
	{"exp a string, expired", EC, NULL, "{\"iat\":\"{-3600}\",\"exp\":\"{-605}\"," AUD "}", EC},
	{"iat a string, not yet valid", EC, NULL, "{\"iat\":\"{660}\",\"exp\":{3600}," AUD "}", EC},
	{"exp a real, expired", EC, NULL, "{\"iat\":{-3600}.5,\"exp\":{-605}.5," AUD "}", EC},
	{"iat a real below 0", EC, NULL, "{\"iat\":-0.5,\"exp\":{3000}," AUD "}", EC},
	{"exp with an exponent", EC, NULL, "{\"iat\":{-10},\"exp\":1e10," AUD "}", EC},
	{"exp beyond a real", EC, NULL, "{\"iat\":{-10},\"exp\":1e400," AUD "}", EC},
	{"exp true", EC, NULL, "{\"iat\":{-10},\"exp\":true," AUD "}", EC},
	{"exp null", EC, NULL, "{\"iat\":{-10},\"exp\":null," AUD "}", EC},
	{"exp an array", EC, NULL, "{\"iat\":{-10},\"exp\":[{3000}]," AUD "}", EC},
	{"iat false", EC, NULL, "{\"iat\":false,\"exp\":{3000}," AUD "}", EC},
	{"aud twice", EC, NULL, "{" TIMES ",\"aud\":\"attack2\"," AUD "}", EC},
	{"aud twice, good first", EC, NULL, "{" TIMES "," AUD ",\"aud\":\"attack2\"}", EC},
	{"exp twice", EC, NULL, "{\"exp\":{-3000}," TIMES "," AUD "}", EC},
	{"claims an array", EC, NULL, "[" GOOD "]", EC},
	{"claims a string", EC, NULL, "\"attack\"", EC},
	{"claims empty", EC, NULL, "", EC},
	{"claims no JSON", EC, NULL, "aud=attack", EC},
	{"claims with a tail", EC, NULL, GOOD "x", EC},
	{"claims twice", EC, NULL, GOOD GOOD, EC},
	{"claims cut off", EC, NULL, "{" TIMES "," AUD, EC},
	{"claims with a byte order mark", EC, NULL, "\xef\xbb\xbf" GOOD, EC},
	{"claims that are not UTF-8", EC, NULL, "{" TIMES "," AUD ",\"x\":\"\xff\xfe\"}", EC},

	/* the form */
	{"padding before padding", EC, .signer = EC, .padded = true, .then = pad_end},
	{"padded, with loose bits", EC, .signer = EC, .then = pad_loose_bits},
	{"too little padding", EC, .signer = EC, .then = pad_end_short},
	{"too much padding", EC, .signer = EC, .then = pad_end_long},
	{"padding in the signature of another length", RSA_, .signer = RSA_, .then = pad_end_short},
	{"a header padded after it was signed", EC, .signer = EC, .then = pad_header},
	{"claims padded after they were signed", EC, .signer = EC, .then = pad_claims},
	{"loose bits at the end", EC, .signer = EC, .then = loose_bits},
	{"base64 instead of base64url", RSA_, .signer = RSA_, .then = plain_base64},
	{"a newline behind", EC, .signer = EC, .then = newline_after},
	{"a newline inside", EC, .signer = EC, .then = newline_inside},
	{"a space before", EC, .signer = EC, .then = space_before},
	{"a space inside", EC, .signer = EC, .then = space_inside},
	{"a letter beyond ASCII", EC, .signer = EC, .then = high_byte_inside},
	{"Bearer before it", EC, .signer = EC, .then = bearer},
	{"a dot behind", EC, .signer = EC, .then = dot_after},
	{"a fourth part", EC, .signer = EC, .then = fourth_part},
	{"five parts", EC, .signer = EC, .then = five_parts},
	{"four characters behind", EC, .signer = EC, .then = junk_after},
	{"a token twice", EC, .signer = EC, .then = twice},
	{"no signature part", EC, .signer = EC, .then = without_signature},
	{"parts swapped", EC, .signer = EC, .then = parts_swapped},
	{"an empty password", EC, .signer = EC, .then = nothing},
	{"a dot", EC, .signer = EC, .then = one_dot},
	{"two dots", EC, .signer = EC, .then = two_dots},
	{"three letters", EC, .signer = EC, .then = letters},
	{"printf formats", EC, .signer = EC, .then = formats},
	{"60 KB of letters", EC, .signer = EC, .then = long_letters},
	{"60 KB of dots", EC, .signer = EC, .then = long_dots},
	{"60 KB behind a good token", EC, .signer = EC, .then = long_tail},

	/* the client id */
	{"a slash behind the id", EC, .signer = EC, .client_id = DEVICES "ec-device/"},
	{"a second device behind it", EC, .signer = EC,
		.client_id = DEVICES "ec-device/devices/other-device"},
	{"an id in capitals", EC, .signer = EC, .client_id = DEVICES "EC-DEVICE"},
	{"an id with a quote", EC, .signer = EC, .client_id = DEVICES "ec-device' OR '1'='1"},
	{"an id with a wildcard", EC, .signer = EC, .client_id = DEVICES "ec-devic%"},
	{"a log line in the id", EC, .signer = EC, .client_id = DEVICES "ec-device reason=forged"},
	{"letters beyond ASCII in the id", EC, .signer = EC,
		.client_id = DEVICES "ec-device\xc3\xa9"},
	{"an unknown device", EC, .signer = EC, .client_id = DEVICES "nobody"},
	{"no device", EC, .signer = EC, .client_id = DEVICES},
	{"a registry", EC, .signer = EC, .client_id = REGISTRY},
	{"an unknown registry", EC, .signer = EC,
		.client_id =
			"projects/attack/locations/us-central1/registries/no/devices/ec-device"},
	{"another region", EC, .signer = EC,
		.client_id =
			"projects/attack/locations/europe-west1/registries/reg/devices/ec-device"},
	{"another project", EC, .signer = EC,
		.client_id =
			"projects/attack2/locations/us-central1/registries/reg/devices/ec-device"},
	{"an empty project", EC, .signer = EC,
		.client_id = "projects//locations/us-central1/registries/reg/devices/ec-device"},
	{"only the beginning", EC, .signer = EC, .client_id = "projects/"},
	{"a session to be kept", EC, .signer = EC, .keep_session = true},

	/* once more, after all that */
	{"the EC device's token again", EC, .signer = EC, .good = true},
	{"the RSA device's token again", RSA_, .signer = RSA_, .good = true},
};

static char *
token_of(const struct row *row)
{
	AUTO(auto_free) char *claims = with_times(row->claims ? row->claims : GOOD);
	AUTO(auto_free)
	char *input = token_input(
		row->header ? row->header : devices[row->as].header, claims, strlen(claims));
	char *token;

	if (row->padded)
		input = padded(padded(input, 1), 2);
	token = token_signed(input, keys[row->signer], row->how);
	if (row->padded)
		token = padded(token, 3);
	return row->then ? row->then(token) : token;
}

static int failures;

/* Sends one token; says so when the answer is not the one wanted. */
static void
expect(const char *name, size_t nth, const struct raw_connect *c, int wanted)
{
	const char *signature = c->password ? strrchr(c->password, '.') : NULL;
	int code;

	if (gateway)
		code = raw_attach(gateway, c->client_id + strlen(DEVICES), c->password,
			       c->password_len)
			       ? ACCEPTED
			       : NOT_AUTHORISED;
	else
		code = raw_connect(port, c);

	if (signature && strlen(signature) > 24)
		fprintf(sent, "%.24s\n", signature + 1);
	if (code == wanted)
		return;
	failures++;
	printf("FAIL: %s (%zu): answer %d instead of %d\n", name, nth, code, wanted);
}

static void
run_row(const struct row *row)
{
	AUTO(auto_free) char *id = NULL;
	AUTO(auto_free) char *token = token_of(row);

	/* What is wrong with the connection itself is no matter of an attach. */
	if (gateway && (row->client_id || row->keep_session))
		return;
	if (asprintf(&id, DEVICES "%s", devices[row->as].id) < 0)
		fail("memory ran out");
	expect(row->name, 0,
		&(struct raw_connect){row->client_id ? row->client_id : id, token, strlen(token),
			row->keep_session},
		row->good || (row->lenient && !strict) ? ACCEPTED : NOT_AUTHORISED);
}

/* A good token cut off, and a good token with one character changed, at every place. */
static void
run_every_byte(const struct row *row)
{
	AUTO(auto_free) char *id = NULL;
	AUTO(auto_free) char *token = token_of(row);
	size_t len = strlen(token);

	if (asprintf(&id, DEVICES "%s", devices[row->as].id) < 0)
		fail("memory ran out");
	for (size_t i = 0; i < len; i++)
		expect("a token cut off at", i, &(struct raw_connect){id, token, i},
			NOT_AUTHORISED);
	for (size_t i = 0; i < len; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		expect("a token changed at", i, &(struct raw_connect){id, token, len},
			NOT_AUTHORISED);
		token[i] = was;
	}
	expect("a token whole again", 0, &(struct raw_connect){id, token, len}, ACCEPTED);
}

/* Claims signed by the device itself that are as long as a password can be, or as deep. */
static void
run_large(void)
{
	static char claims[45000];

	for (int deep = 0; deep < 2; deep++) {
		AUTO(auto_free) char *start = with_times("{" TIMES "," AUD ",\"x\":");
		AUTO(auto_free) char *input = NULL;
		AUTO(auto_free) char *token = NULL;
		size_t n = strlen(start), end = sizeof(claims) - 1;

		memset(claims, deep ? '[' : ' ', sizeof(claims));
		memcpy(claims, start, n);
		if (deep) {
			memset(claims + n + (end - n) / 2, ']', end - n - (end - n) / 2);
			n = 0;
		} else {
			claims[end - 1] = '1';
		}
		claims[end] = '}';
		input = token_input(devices[EC].header, claims, sizeof(claims));
		token = token_signed(input, keys[EC], SIGN_AS_JOSE);
		expect(deep ? "20,000 arrays in each other" : "60 KB of claims, signed",
			strlen(token),
			&(struct raw_connect){DEVICES "ec-device", token, strlen(token)},
			NOT_AUTHORISED);
	}
}

static struct raw_gateway *
open_gateway(const char *folder, const char *id)
{
	AUTO(auto_free) char *path = NULL;
	AUTO(auto_free) char *client_id = NULL;
	AUTO(auto_free) char *claims = with_times(GOOD);
	AUTO(auto_free) char *input = NULL;
	AUTO(auto_free) char *token = NULL;
	EVP_PKEY *key;

	if (asprintf(&path, "%s/gateway.key", folder) < 0 ||
		asprintf(&client_id, DEVICES "%s", id) < 0)
		fail("memory ran out");
	key = read_key(path);
	input = token_input(devices[EC].header, claims, strlen(claims));
	token = token_signed(input, key, SIGN_AS_JOSE);
	EVP_PKEY_free(key);
	return raw_gateway_open(
		port, &(struct raw_connect){client_id, token, strlen(token), false}, id);
}

int
main(int argc, char **argv)
{
	char path[4096];

	if (argc > 1 && !strcmp(argv[1], "-s")) {
		strict = true;
		argc--;
		argv++;
	}
	if (argc != 3 && argc != 4)
		fail("usage: attack [-s] PORT FOLDER [GATEWAY]");
	port = (uint16_t)atoi(argv[1]);
	for (int i = 0; i < N_DEVICES; i++) {
		snprintf(path, sizeof(path), "%s/%s", argv[2], devices[i].key);
		keys[i] = read_key(path);
	}
	snprintf(path, sizeof(path), "%s/sent", argv[2]);
	sent = fopen(path, "w");
	if (!sent)
		fail("%s: %s", path, strerror(errno));
	if (argc == 4)
		gateway = open_gateway(argv[2], argv[3]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i]);
	expect("no password", 0, &(struct raw_connect){DEVICES "ec-device", NULL, 0},
		NOT_AUTHORISED);
	run_large();
	if (!strict) {
		run_every_byte(&rows[EC]);
		run_every_byte(&rows[RSA_]);
	}
	for (int i = 0; i < N_DEVICES; i++)
		EVP_PKEY_free(keys[i]);
	raw_gateway_close(gateway);
	if (fclose(sent))
		fail("%s: %s", path, strerror(errno));
	printf("%zu rows%s: %d failures\n", sizeof(rows) / sizeof(rows[0]),
		strict ? "" : " and every byte of two tokens", failures);
	return failures ? 1 : 0;
}
