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
