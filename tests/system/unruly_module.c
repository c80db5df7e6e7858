/* SoftHSM's module with bad manners: what UNRULY asks for happens in place of the call.
 *
 *   UNRULY   "FUNCTION abort", "FUNCTION hang", "FUNCTION exit", "FUNCTION 0xRV"; empty: nothing
 *   FLAGS    CKF_ flags that C_GetTokenInfo adds, in hexadecimal
 *   LOGINS   a file that gets one byte for every C_Login
 *
 * It talks on its standard output and error all the time. Only the types of the functions that
 * are wrapped are spelled out (PKCS#11 v2.40); SOFTHSM is the module behind it.
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

enum { INITIALIZE = 0, SLOT_LIST = 4, TOKEN_INFO = 6, LOGIN = 18, SIGN = 43 };
static struct list own;
static struct list *real;

static number misbehave(const char *name)
{
	const char *wish = getenv("UNRULY");
	size_t length = strlen(name);

	printf("%s was called\n", name);
	fprintf(stderr, "%s was called\n", name);
	fflush(stdout);
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

static number initialize(void *arguments)
{
	number wrong = misbehave("C_Initialize");
	return wrong ? wrong : ((number (*)(void *))real->functions[INITIALIZE])(arguments);
}

static number slot_list(unsigned char present, number *slots, number *count)
{
	number wrong = misbehave("C_GetSlotList");
	return wrong ? wrong : ((number (*)(unsigned char, number *, number *))
		real->functions[SLOT_LIST])(present, slots, count);
}

static number token_info(number slot, struct token_info *info)
{
	const char *flags = getenv("FLAGS");
	number result = ((number (*)(number, struct token_info *))
		real->functions[TOKEN_INFO])(slot, info);
	if (!result && flags)
		info->flags |= strtoul(flags, NULL, 16);
	return result;
}

static number login(number session, number user, char *pin, number length)
{
	number wrong;
	FILE *logins = fopen(getenv("LOGINS"), "a");
	fputc('.', logins);
	fclose(logins);
	wrong = misbehave("C_Login");
	return wrong ? wrong : ((number (*)(number, number, char *, number))
		real->functions[LOGIN])(session, user, pin, length);
}

static number sign(number session, char *data, number size, char *signature, number *length)
{
	number wrong = misbehave("C_Sign");
	return wrong ? wrong : ((number (*)(number, char *, number, char *, number *))
		real->functions[SIGN])(session, data, size, signature, length);
}

number C_GetFunctionList(struct list **functions)
{
	void *module = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL);
	number (*list)(struct list **) = dlsym(module, "C_GetFunctionList");
	number result = list(&real);
	if (result)
		return result;
	own = *real;
	own.functions[INITIALIZE] = (function)initialize;
	own.functions[SLOT_LIST] = (function)slot_list;
	own.functions[TOKEN_INFO] = (function)token_info;
	own.functions[LOGIN] = (function)login;
	own.functions[SIGN] = (function)sign;
	*functions = &own;
	return 0;
}
