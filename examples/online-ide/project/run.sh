#!/bin/sh
# Serves public/ on port 8000 until it is ended.
cd "$(dirname "$0")" || exit
chmod +x public/cgi-bin/*

printf '\033[1;32m●\033[0m serving \033[1mpublic/\033[0m on port \033[1;36m8000\033[0m   \033[2mCtrl-C ends it\033[0m\n'
exec httpd -f -v -p 8000 -h public
