# P11GW_FLAGS(VARIABLE, FLAG...): appends each flag that the compiler takes without a warning.
AC_DEFUN([P11GW_FLAGS], [
  for p11gw_flag in $2; do
    AC_MSG_CHECKING([whether $CC takes $p11gw_flag])
    p11gw_saved="$CFLAGS"
    CFLAGS="$CFLAGS -Werror $p11gw_flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); $1="$$1 $p11gw_flag"], [AC_MSG_RESULT([no])])
    CFLAGS="$p11gw_saved"
  done
])

# P11GW_SWITCH(NAME, DEFAULT, HELP): --enable-NAME / --disable-NAME into enable_NAME.
AC_DEFUN([P11GW_SWITCH], [
  AC_ARG_ENABLE([$1], [AS_HELP_STRING([--m4_if([$2], [yes], [disable], [enable])-$1], [$3])],
    [], [enable_$1=$2])
])

# P11GW_PAHO: how paho is linked, into PAHO_LIBS: its static library without its records of memory
# and calls (src/mqtt/lean.c), or the shared library where there is no static one that this works
# with. PAHO_ARCHIVE is what the former is made of.
AC_DEFUN([P11GW_PAHO], [
  AC_ARG_WITH([paho], [AS_HELP_STRING([--with-paho=shared|static],
    [link paho's shared library, or its static one, which takes less than half of the processor's
     time; static where it can be had unless told])], [], [with_paho=auto])
  AS_CASE([$with_paho], [auto | shared | static], [],
    [AC_MSG_ERROR([--with-paho is either shared or static])])
  AC_CHECK_TOOL([OBJCOPY], [objcopy], [:])
  PAHO_LIBS=-lpaho-mqtt3as
  PAHO_ARCHIVE=`$CC -print-file-name=libpaho-mqtt3as.a`
  p11gw_lean=no
  AS_IF([test "$with_paho" != shared], [
    AC_MSG_CHECKING([whether paho's static library can be linked without its records])
    AS_MKDIR_P([conftest.paho])
    : >conftest.paho/config.h
    p11gw_saved="$LIBS"
    LIBS="conftest.paho/libpaho.a conftest.paho/lean.o $SSL_LIBS $CRYPTO_LIBS -lpthread $LIBS"
    AS_IF([$srcdir/src/mqtt/lean.sh "$AR" "$OBJCOPY" "$PAHO_ARCHIVE" dnl
        conftest.paho/libpaho.a 2>&AS_MESSAGE_LOG_FD &&
        $CC $CPPFLAGS $CFLAGS -D_GNU_SOURCE -fPIC -Iconftest.paho dnl
          -iquote "$srcdir/src" dnl
          -c "$srcdir/src/mqtt/lean.c" -o conftest.paho/lean.o >&AS_MESSAGE_LOG_FD 2>&1],
      [AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <MQTTAsync.h>]], [[
          MQTTAsync client;
          MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
          MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer5;

          return MQTTAsync_createWithOptions(&client, "", "", 1, 0, &create) ||
            MQTTAsync_connect(client, &connect);]])], [p11gw_lean=yes])])
    LIBS="$p11gw_saved"
    rm -rf conftest.paho
    AC_MSG_RESULT([$p11gw_lean])])
  AS_IF([test "$with_paho$p11gw_lean" = staticno],
    [AC_MSG_ERROR([no static library of paho can be used: see config.log])])
  AS_IF([test "$p11gw_lean" = yes], [PAHO_LIBS='-Lsrc/mqtt -lpaho-lean -llean'])
  AC_SUBST([PAHO_LIBS])
  AC_SUBST([PAHO_ARCHIVE])
  AM_CONDITIONAL([PAHO_LEAN], [test "$p11gw_lean" = yes])
])
