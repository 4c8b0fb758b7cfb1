#include "setup/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"

#define PEM_BYTES_MAX	((size_t)64 * 1024)
#define SERIAL_BYTES	16
#define DAY_SECONDS	((long)24 * 60 * 60)
#define CLOCK_SKEW_SECS ((long)60 * 60) /* a new worker's clock may be behind */

static void cleanup_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void cleanup_certificate(X509 **certificate)
{
	X509_free(*certificate);
}

static void cleanup_bio(BIO **bio)
{
	BIO_free_all(*bio);
}

static int fail(struct error *err, const char *what)
{
	return error_set(err, ERR_INTERNAL, "OpenSSL: cannot %s", what);
}

const char *pki_state_text(enum pki_state state)
{
	static const char *const texts[] = {
		[PKI_GOOD] = "is good",
		[PKI_ABSENT] = "does not exist",
		[PKI_BROKEN] = "is not a certificate with its key",
		[PKI_OTHER_CA] = "is not signed by our CA",
		[PKI_EXPIRED] = "is expired, or not valid yet",
		[PKI_WRONG_NAME] = "is for another name or address",
		[PKI_EXPIRING] = "expires soon",
	};
	return texts[state];
}

char *pki_ca_path(const char *directory)
{
	return xasprintf("%s/ca.crt", directory);
}

static char *ca_key_path(const char *directory)
{
	return xasprintf("%s/ca.key", directory);
}

/* *ret_key and *ret_certificate may be NULL; what is not in the text is left NULL. */
static int read_pem(const char *path, EVP_PKEY **ret_key, X509 **ret_certificate, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, PEM_BYTES_MAX);
	if (fs_read(AT_FDCWD, path, &text, err) < 0)
		return -1;
	if (ret_key != NULL) {
		CLEANUP(cleanup_bio) BIO *bio = BIO_new_mem_buf(text.data, (int)text.bytes);
		*ret_key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	}
	if (ret_certificate != NULL) {
		CLEANUP(cleanup_bio) BIO *bio = BIO_new_mem_buf(text.data, (int)text.bytes);
		*ret_certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	}
	OPENSSL_cleanse(text.data, text.bytes);
	return 0;
}

static int bio_text(BIO *bio, struct buf *out, struct error *err)
{
	char *data = NULL;
	long bytes = BIO_get_mem_data(bio, &data);

	if (bytes <= 0)
		return fail(err, "write PEM");
	buf_append(out, data, (size_t)bytes);
	return 0;
}

static int write_key(BIO *bio, EVP_PKEY *key, struct error *err)
{
	if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return fail(err, "write the key");
	return 0;
}

static int set_name(X509_NAME *name, const char *common_name, struct error *err)
{
	if (X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"RGrid", -1,
				       -1, 0) != 1 ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
				       (const unsigned char *)common_name, -1, -1, 0) != 1)
		return fail(err, "set the name");
	return 0;
}

static int set_serial(X509 *certificate, struct error *err)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *number = NULL;
	bool good = RAND_bytes(bytes, sizeof(bytes)) == 1;

	bytes[0] &= 0x7f; /* positive */
	bytes[0] |= 0x40; /* never short */
	number = good ? BN_bin2bn(bytes, sizeof(bytes), NULL) : NULL;
	good = number != NULL &&
	       BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
	BN_free(number);
	return good ? 0 : fail(err, "set the serial number");
}

static int add_extension(X509 *certificate, X509 *issuer, int nid, const char *value,
			 struct error *err)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	if (good)
		return 0;
	return error_set(err, ERR_INVALID, "OpenSSL does not take \"%s\" as %s", value,
			 OBJ_nid2sn(nid));
}

/* Without extensions and signature. */
static X509 *certificate_begin(EVP_PKEY *key, const char *common_name, long days, struct error *err)
{
	CLEANUP(cleanup_certificate) X509 *made = X509_new();

	if (made == NULL || X509_set_version(made, X509_VERSION_3) != 1 ||
	    X509_set_pubkey(made, key) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(made), -CLOCK_SKEW_SECS) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(made), days * DAY_SECONDS) == NULL) {
		(void)fail(err, "make a certificate");
		return NULL;
	}
	if (set_serial(made, err) < 0 ||
	    set_name(X509_get_subject_name(made), common_name, err) < 0)
		return NULL;
	return TAKE_PTR(made);
}

static int certificate_sign(X509 *certificate, EVP_PKEY *key, struct error *err)
{
	return X509_sign(certificate, key, EVP_sha256()) > 0 ? 0 : fail(err, "sign");
}

static int ca_key_ensure(const char *path, EVP_PKEY **ret, struct error *err)
{
	int got = read_pem(path, ret, NULL, err);

	if (got == 0)
		return *ret != NULL ? 0 : error_set(err, ERR_CONFLICT, "%s is not a key", path);
	if (err->code != ERR_NOT_FOUND)
		return -1;
	CLEANUP(cleanup_key) EVP_PKEY *key = EVP_EC_gen("P-256");
	CLEANUP(cleanup_bio) BIO *bio = BIO_new(BIO_s_secmem());
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, PEM_BYTES_MAX);
	if (key == NULL || bio == NULL)
		return fail(err, "make a key");
	if (write_key(bio, key, err) < 0 || bio_text(bio, &text, err) < 0)
		return -1;
	int failed = fs_write_atomic(path, text.data, text.bytes, 0600, err);
	OPENSSL_cleanse(text.data, text.bytes);
	if (failed == 0)
		*ret = TAKE_PTR(key);
	return failed;
}

static int ca_certificate_make(const char *path, EVP_PKEY *key, struct error *err)
{
	CLEANUP(cleanup_certificate)
	X509 *ca = certificate_begin(key, "RGrid private CA", PKI_CA_DAYS, err);
	CLEANUP(cleanup_bio) BIO *bio = BIO_new(BIO_s_mem());
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, PEM_BYTES_MAX);
	if (ca == NULL)
		return -1;
	if (X509_set_issuer_name(ca, X509_get_subject_name(ca)) != 1)
		return fail(err, "set the issuer");
	if (add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0", err) < 0 ||
	    add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign", err) < 0 ||
	    add_extension(ca, ca, NID_subject_key_identifier, "hash", err) < 0 ||
	    certificate_sign(ca, key, err) < 0)
		return -1;
	if (bio == NULL || PEM_write_bio_X509(bio, ca) != 1)
		return fail(err, "write the certificate");
	if (bio_text(bio, &text, err) < 0)
		return -1;
	return fs_write_atomic(path, text.data, text.bytes, 0644, err);
}

int pki_ca_ensure(const char *directory, bool *ret_made, struct error *err)
{
	CLEANUP(cleanup_free) char *key_path = ca_key_path(directory);
	CLEANUP(cleanup_free) char *path = pki_ca_path(directory);
	CLEANUP(cleanup_key) EVP_PKEY *key = NULL;
	CLEANUP(cleanup_certificate) X509 *certificate = NULL;

	if (fs_mkdir_all(directory, 0755, err) < 0)
		return -1;
	bool exists = access(path, F_OK) == 0;
	if (exists && access(key_path, F_OK) != 0)
		return error_set(err, ERR_CONFLICT, "%s is there, but not its key %s", path,
				 key_path);
	/* The key first: a power cut between the two leaves a key that the next call certifies. */
	if (ca_key_ensure(key_path, &key, err) < 0)
		return -1;
	if (!exists && ca_certificate_make(path, key, err) < 0)
		return -1;
	if (read_pem(path, NULL, &certificate, err) < 0)
		return -1;
	if (certificate == NULL || X509_check_private_key(certificate, key) != 1)
		return error_set(err, ERR_CONFLICT, "%s and %s do not belong together", path,
				 key_path);
	if (ret_made != NULL)
		*ret_made = !exists;
	return 0;
}

static int add_names(X509 *certificate, X509 *ca, const struct pki_names *names, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, PEM_BYTES_MAX);
	for (size_t i = 0; i < names->ip_count; i++)
		buf_appendf(&text, "%sIP:%s", text.bytes > 0 ? "," : "", names->ips[i]);
	for (size_t i = 0; i < names->dns_count; i++) {
		/* The text is a list: a name with a comma would be two. */
		if (names->dns[i][strcspn(names->dns[i], ",: \t\n")] != '\0')
			return error_set(err, ERR_INVALID, "\"%s\" is not a host name",
					 names->dns[i]);
		buf_appendf(&text, "%sDNS:%s", text.bytes > 0 ? "," : "", names->dns[i]);
	}
	return add_extension(certificate, ca, NID_subject_alt_name, text.data, err);
}

/* Durable, owner and all: a configuration that names the file may follow at once, and PostgreSQL
 * does not start without it. */
static int put_in_place(const char *beside, const char *path, uid_t uid, gid_t gid,
			struct error *err)
{
	const char *name = fs_basename(path);
	CLEANUP(cleanup_free)
	char *directory = name == path ? xstrdup(".") : xstrndup(path, (size_t)(name - path));
	CLEANUP(cleanup_fd) int fd = open(beside, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(cleanup_fd)
	int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || directory_fd < 0 || fchown(fd, uid, gid) != 0 || fsync(fd) != 0 ||
	    rename(beside, path) != 0 || fsync(directory_fd) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot put %s in place", path);
	return 0;
}

static int write_server(const char *path, X509 *certificate, EVP_PKEY *key, uid_t uid, gid_t gid,
			struct error *err)
{
	CLEANUP(cleanup_bio) BIO *bio = BIO_new(BIO_s_secmem());
	CLEANUP(cleanup_buf) struct buf text;
	CLEANUP(cleanup_free) char *beside = xasprintf("%s.new", path);

	buf_init(&text, PEM_BYTES_MAX);
	if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
		return fail(err, "write the certificate");
	if (write_key(bio, key, err) < 0 || bio_text(bio, &text, err) < 0)
		return -1;
	/* Whole and with its owner before it has the name: PostgreSQL refuses a key of others. */
	int failed = fs_write_atomic(beside, text.data, text.bytes, 0600, err);
	OPENSSL_cleanse(text.data, text.bytes);
	if (failed != 0)
		return -1;
	return put_in_place(beside, path, uid, gid, err);
}

int pki_server_issue(const char *directory, const char *path, const struct pki_names *names,
		     uid_t uid, gid_t gid, struct error *err)
{
	CLEANUP(cleanup_free) char *ca_path = pki_ca_path(directory);
	CLEANUP(cleanup_free) char *key_path = ca_key_path(directory);
	CLEANUP(cleanup_certificate) X509 *ca = NULL;
	CLEANUP(cleanup_key) EVP_PKEY *ca_key = NULL;
	CLEANUP(cleanup_key) EVP_PKEY *key = EVP_EC_gen("P-256");
	CLEANUP(cleanup_certificate) X509 *made = NULL;

	if (read_pem(ca_path, NULL, &ca, err) < 0 || read_pem(key_path, &ca_key, NULL, err) < 0)
		return -1;
	if (ca == NULL || ca_key == NULL || key == NULL)
		return error_set(err, ERR_CONFLICT, "%s has no usable CA", directory);
	made = certificate_begin(key, "RGrid server", PKI_SERVER_DAYS, err);
	if (made == NULL)
		return -1;
	if (X509_set_issuer_name(made, X509_get_subject_name(ca)) != 1)
		return fail(err, "set the issuer");
	if (add_extension(made, ca, NID_basic_constraints, "critical,CA:FALSE", err) < 0 ||
	    add_extension(made, ca, NID_key_usage, "critical,digitalSignature", err) < 0 ||
	    add_extension(made, ca, NID_ext_key_usage, "serverAuth", err) < 0 ||
	    add_extension(made, ca, NID_authority_key_identifier, "keyid:always", err) < 0 ||
	    add_names(made, ca, names, err) < 0 || certificate_sign(made, ca_key, err) < 0)
		return -1;
	return write_server(path, made, key, uid, gid, err);
}

static int64_t expiry_of(const X509 *certificate)
{
	struct tm end = {0};

	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
		return 0;
	return (int64_t)timegm(&end) * 1000000;
}

static bool has_names(X509 *certificate, const struct pki_names *names)
{
	for (size_t i = 0; i < names->ip_count; i++) {
		if (X509_check_ip_asc(certificate, names->ips[i], 0) != 1)
			return false;
	}
	for (size_t i = 0; i < names->dns_count; i++) {
		if (X509_check_host(certificate, names->dns[i], 0, 0, NULL) != 1)
			return false;
	}
	return true;
}

static enum pki_state state_of(X509 *ca, X509 *certificate, EVP_PKEY *key,
			       const struct pki_names *names)
{
	if (certificate == NULL || key == NULL || X509_check_private_key(certificate, key) != 1)
		return PKI_BROKEN;
	if (X509_verify(certificate, X509_get0_pubkey(ca)) != 1)
		return PKI_OTHER_CA;
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0 ||
	    X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0)
		return PKI_EXPIRED;
	if (!has_names(certificate, names))
		return PKI_WRONG_NAME;
	if (expiry_of(certificate) - clock_wall_us() < PKI_RENEW_DAYS * DAY_SECONDS * 1000000)
		return PKI_EXPIRING;
	return PKI_GOOD;
}

int pki_server_check(const char *directory, const char *path, const struct pki_names *names,
		     enum pki_state *ret, int64_t *ret_expires_wall_us, struct error *err)
{
	CLEANUP(cleanup_free) char *ca_path = pki_ca_path(directory);
	CLEANUP(cleanup_certificate) X509 *ca = NULL;
	CLEANUP(cleanup_certificate) X509 *certificate = NULL;
	CLEANUP(cleanup_key) EVP_PKEY *key = NULL;

	if (ret_expires_wall_us != NULL)
		*ret_expires_wall_us = 0;
	if (read_pem(path, &key, &certificate, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		*ret = PKI_ABSENT;
		return 0;
	}
	if (read_pem(ca_path, NULL, &ca, err) < 0)
		return -1;
	if (ca == NULL)
		return error_set(err, ERR_CONFLICT, "%s is not a certificate", ca_path);
	if (certificate != NULL && ret_expires_wall_us != NULL)
		*ret_expires_wall_us = expiry_of(certificate);
	*ret = state_of(ca, certificate, key, names);
	return 0;
}

int pki_server_ensure(const char *directory, const char *path, const struct pki_names *names,
		      uid_t uid, gid_t gid, bool *ret_issued, struct error *err)
{
	enum pki_state state = PKI_GOOD;

	if (pki_server_check(directory, path, names, &state, NULL, err) < 0)
		return -1;
	if (ret_issued != NULL)
		*ret_issued = state != PKI_GOOD;
	if (state != PKI_GOOD)
		return pki_server_issue(directory, path, names, uid, gid, err);
	if (chmod(path, 0600) != 0 || lchown(path, uid, gid) != 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot own %s", path);
	return 0;
}

int pki_expiry(const char *path, int64_t *ret_wall_us, struct error *err)
{
	CLEANUP(cleanup_certificate) X509 *certificate = NULL;

	if (read_pem(path, NULL, &certificate, err) < 0)
		return -1;
	if (certificate == NULL)
		return error_set(err, ERR_INVALID, "%s is not a certificate", path);
	*ret_wall_us = expiry_of(certificate);
	return 0;
}
