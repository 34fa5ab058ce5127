# nl_assets(FOLDER): compiles FOLDER/assets/* into generated/FOLDER/assets.h, one std::string_view for each file:
# page.html becomes nightlatch::assets::page_html. The files stay what they are; nothing is read at run time.
function(nl_assets folder)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/assets/*)
  if(NOT files)
    return()
  endif()
  set(out ${CMAKE_BINARY_DIR}/generated/${folder}/assets.h)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} "-DFILES=${files}" -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  add_custom_target(nl_${folder}_assets DEPENDS ${out})
  if(TARGET nl_${folder})
    add_dependencies(nl_${folder} nl_${folder}_assets)
  endif()
endfunction()
