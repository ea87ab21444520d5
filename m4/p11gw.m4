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

# P11GW_PAHO: paho's static library, to be linked without its records, reads and threads (see
# src/mqtt/lean.sh), into PAHO_LIBS. PAHO_ARCHIVE is what that is made of.
AC_DEFUN([P11GW_PAHO], [
  AC_CHECK_TOOL([OBJCOPY], [objcopy], [:])
  PAHO_LIBS='-Lsrc/mqtt -lpaho-lean -llean'
  PAHO_ARCHIVE=`$CC -print-file-name=libpaho-mqtt3as.a`
  AC_MSG_CHECKING([whether paho's static library is one we know])
  AS_MKDIR_P([conftest.paho])
  : >conftest.paho/config.h
  p11gw_saved="$LIBS"
  p11gw_known=no
  p11gw_objects=
  p11gw_made=`$srcdir/src/mqtt/lean.sh "$AR" "$OBJCOPY" "$NM" "$PAHO_ARCHIVE" dnl
    conftest.paho/libpaho.a 2>&AS_MESSAGE_LOG_FD && echo yes`
  for p11gw_part in lean stream turn; do
    $CC $CPPFLAGS $CFLAGS $SSL_CFLAGS -D_GNU_SOURCE -fPIC -Iconftest.paho -iquote "$srcdir/src" dnl
      -c "$srcdir/src/mqtt/$p11gw_part.c" -o conftest.paho/$p11gw_part.o dnl
      >&AS_MESSAGE_LOG_FD 2>&1 || p11gw_made=
    p11gw_objects="$p11gw_objects conftest.paho/$p11gw_part.o"
  done
  LIBS="$p11gw_objects conftest.paho/libpaho.a $SSL_LIBS $CRYPTO_LIBS -lpthread $LIBS"
  AS_IF([test "$p11gw_made" = yes],
    [AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <MQTTAsync.h>]], [[
        MQTTAsync client;
        MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
        MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer5;

        return MQTTAsync_createWithOptions(&client, "", "", 1, 0, &create) ||
          MQTTAsync_connect(client, &connect);]])], [p11gw_known=yes])])
  LIBS="$p11gw_saved"
  rm -rf conftest.paho
  AC_MSG_RESULT([$p11gw_known])
  AS_IF([test "$p11gw_known" = no],
    [AC_MSG_ERROR([libpaho-mqtt3as.a is missing, or of another version than 1.3.12 to 1.3.14:
      install libpaho-mqtt-dev; config.log says more])])
  AC_SUBST([PAHO_LIBS])
  AC_SUBST([PAHO_ARCHIVE])
])
