/* SoftHSM's module with bad manners: what UNRULY asks for happens in place of the call.
 *
 *   UNRULY   "FUNCTION abort", "FUNCTION hang", "FUNCTION exit", "FUNCTION 0xRV"; "N 0xRV": every
 *            call from the Nth on; empty: nothing
 *   FLAGS    CKF_ flags that C_GetTokenInfo adds, in hexadecimal
 *   LOGINS   a file that gets one byte for every C_Login
 *
 * It talks on its standard output and error all the time. SOFTHSM is the module behind it. Six
 * words are handed on to every function, however many it takes: the others pass unseen.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long number;
typedef number (*function)(void);
struct list { unsigned char version[2]; function functions[68]; };
struct token_info { char text[96]; number flags; };

enum { TOKEN_INFO = 6, LOGIN = 18 }; /* places in CK_FUNCTION_LIST (PKCS#11 v2.40) */
static struct list own;
static struct list *real;

static number misbehave(const char *name)
{
	static unsigned long calls;
	const char *wish = getenv("UNRULY");
	char *behind;
	size_t length = strlen(name);

	printf("%s was called\n", name);
	fprintf(stderr, "%s was called\n", name);
	fflush(stdout);
	calls++;
	if (wish && *wish >= '0' && *wish <= '9')
		return calls < strtoul(wish, &behind, 10) ? 0 : strtoul(behind, NULL, 16);
	if (!wish || strncmp(wish, name, length) || wish[length] != ' ')
		return 0;
	wish += length + 1;
	if (!strcmp(wish, "abort"))
		abort();
	if (!strcmp(wish, "exit"))
		exit(0);
	while (!strcmp(wish, "hang"))
		sleep(1000);
	return strtoul(wish, NULL, 16);
}

#define WORDS number a, number b, number c, number d, number e, number f
#define PASS(index) ((number (*)(WORDS))real->functions[index])(a, b, c, d, e, f)
#define WRAPPED(index, name) \
	static number wrapped_##index(WORDS) \
	{ \
		number wrong = misbehave(name); \
		return wrong ? wrong : PASS(index); \
	}
WRAPPED(0, "C_Initialize")
WRAPPED(4, "C_GetSlotList")
WRAPPED(5, "C_GetSlotInfo")
WRAPPED(7, "C_GetMechanismList")
WRAPPED(12, "C_OpenSession")
WRAPPED(24, "C_GetAttributeValue")
WRAPPED(26, "C_FindObjectsInit")
WRAPPED(27, "C_FindObjects")
WRAPPED(42, "C_SignInit")
WRAPPED(43, "C_Sign")

static number token_info(WORDS)
{
	const char *flags = getenv("FLAGS");
	number wrong = misbehave("C_GetTokenInfo");
	number result = wrong ? wrong : PASS(TOKEN_INFO);
	if (!result && flags)
		((struct token_info *)b)->flags |= strtoul(flags, NULL, 16);
	return result;
}

static number login(WORDS)
{
	number wrong;
	FILE *logins = fopen(getenv("LOGINS"), "a");
	fputc('.', logins);
	fclose(logins);
	wrong = misbehave("C_Login");
	return wrong ? wrong : PASS(LOGIN);
}

number C_GetFunctionList(struct list **functions)
{
	void *module = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL);
	number (*list)(struct list **) = dlsym(module, "C_GetFunctionList");
	number result = list(&real);
	if (result)
		return result;
	own = *real;
#define WRAP(index) own.functions[index] = (function)wrapped_##index
	WRAP(0); WRAP(4); WRAP(5); WRAP(7); WRAP(12); WRAP(24); WRAP(26); WRAP(27); WRAP(42); WRAP(43);
	own.functions[TOKEN_INFO] = (function)token_info;
	own.functions[LOGIN] = (function)login;
	*functions = &own;
	return 0;
}
