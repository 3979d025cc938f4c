au BufRead,BufNewFile *.mlx setfiletype mlx | setlocal commentstring=//\ %s
