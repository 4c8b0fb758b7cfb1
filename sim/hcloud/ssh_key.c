#include "hcloud/ssh_key.h"

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/str.h"
#include "hcloud/listing.h"
#include "hcloud/resource.h"

#define NAME_BYTES_MAX	  253
#define KEY_BYTES_MAX	  16384
#define MD5_BYTES	  16
#define LENGTH_BYTES	  4
#define FINGERPRINT_BYTES (3 * MD5_BYTES + 1)

/* A key's bytes begin with its type, after four bytes that say how long that is. */
static bool blob_is_of_type(const struct buf *blob, const char *type, size_t type_bytes)
{
	const unsigned char *bytes = (const unsigned char *)blob->data;

	return blob->bytes > LENGTH_BYTES + type_bytes && bytes[0] == 0 && bytes[1] == 0 &&
	       bytes[2] == 0 && bytes[3] == type_bytes &&
	       memcmp(bytes + LENGTH_BYTES, type, type_bytes) == 0;
}

/* "ssh-ed25519 AAAA… comment": the second word, decoded. */
static bool decode_key(const char *text, struct buf *out)
{
	size_t type_bytes = strcspn(text, " ");
	const char *blob = text + type_bytes + strspn(text + type_bytes, " ");

	if (!str_has_prefix(text, "ssh-") && !str_has_prefix(text, "ecdsa-") &&
	    !str_has_prefix(text, "sk-"))
		return false;
	return base64_decode(blob, strcspn(blob, " \r\n"), out) &&
	       blob_is_of_type(out, text, type_bytes);
}

/* "b7:2f:30:…", the MD5 of the key, as the API shows it. */
static bool fingerprint_of(const char *public_key, char out[FINGERPRINT_BYTES])
{
	CLEANUP(cleanup_buf) struct buf blob;
	unsigned char digest[MD5_BYTES];
	unsigned bytes = sizeof(digest);

	buf_init(&blob, KEY_BYTES_MAX);
	if (!decode_key(public_key, &blob))
		return false;
	CHECK(EVP_Digest(blob.data, blob.bytes, digest, &bytes, EVP_md5(), NULL) == 1);
	for (size_t i = 0; i < MD5_BYTES; i++)
		(void)snprintf(out + 3 * i, 4, i + 1 < MD5_BYTES ? "%02x:" : "%02x", digest[i]);
	return true;
}

static int ssh_key_create(struct call *call)
{
	struct table *keys = sim_table(call->sim, call->project, KIND_SSH_KEY);
	const json_t *labels = NULL;
	const char *name = NULL;
	const char *public_key = NULL;
	char fingerprint[FINGERPRINT_BYTES];
	struct fields fields;

	call_fields(call, &fields);
	fields_str(&fields, "name", FIELD_REQUIRED, NAME_BYTES_MAX, &name);
	fields_str(&fields, "public_key", FIELD_REQUIRED, KEY_BYTES_MAX, &public_key);
	fields_labels(&fields, &labels);
	if (fields_finish(&fields) < 0)
		return -1;
	if (!fingerprint_of(public_key, fingerprint))
		return problem_invalid(&call->problem, "public_key", "SSH key is not valid");
	for (size_t i = 0; i < keys->count; i++) {
		if (str_eq(doc_str(keys->docs[i], "fingerprint"), fingerprint))
			return problem_named(&call->problem, PROBLEM_UNIQUENESS_ERROR, "public_key",
					     "SSH key with the same fingerprint already exists");
	}
	if (resource_check_name(call, KIND_SSH_KEY, name, 0) < 0)
		return -1;
	json_t *key = resource_new(call->sim, name, labels);
	doc_set_str(key, "fingerprint", fingerprint);
	doc_set_str(key, "public_key", public_key);
	return resource_reply(call, 201, KIND_SSH_KEY, table_add(keys, key));
}

static int ssh_key_list(struct call *call)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_SSH_KEY);
	listing_filter(&listing, "fingerprint", "fingerprint");
	return listing_reply(&listing, "id name");
}

static int ssh_key_get(struct call *call)
{
	return resource_get(call, KIND_SSH_KEY);
}

static int ssh_key_update(struct call *call)
{
	return resource_update(call, KIND_SSH_KEY);
}

static int ssh_key_delete(struct call *call)
{
	const json_t *key = call_find(call, KIND_SSH_KEY, 0);

	if (!key)
		return -1;
	table_remove(sim_table(call->sim, call->project, KIND_SSH_KEY), doc_id(key));
	return call_reply(call, 204, NULL);
}

const struct route ssh_key_routes[] = {
	{"GET", "/ssh_keys", ssh_key_list},	      {"POST", "/ssh_keys", ssh_key_create},
	{"GET", "/ssh_keys/{id}", ssh_key_get},	      {"PUT", "/ssh_keys/{id}", ssh_key_update},
	{"DELETE", "/ssh_keys/{id}", ssh_key_delete}, {NULL, NULL, NULL},
};
